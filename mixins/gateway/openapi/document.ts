// The API's description (OpenAPI 3.1): the routes, and the schemas of their actions' answers from the registry, so that
// a gateway describes services that run elsewhere without loading their code.
import type { ServiceBroker } from "moleculer";
import Type, { type TSchema } from "typebox";
import { openApi, type DescribedErrors, type Operation } from "../../contract/index.ts";
import { KEY_FIELD, KEY_HEADER, takesKey } from "../idempotency/key.ts";
import { API, rolesFor, serviceOf, type Route } from "../route/route.ts";
import { usualErrors } from "./usual-errors.ts";

const condition = (description: string) => ({ description, schema: Type.String({ maxLength: 2_000 }) });
const NONE_MATCH = condition("Entity tags, or `*`.");
const READ_CONDITIONS = { "If-None-Match": NONE_MATCH };
const CHANGE_CONDITIONS = {
  "If-Match": condition("Entity tags of which the resource must have one, or `*`; else 412, and nothing is done."),
  "If-None-Match": NONE_MATCH,
  "If-Unmodified-Since": condition("A date as HTTP has it."),
};
const SIGNATURE = {
  description: "`t=<seconds since the epoch>,v1=<HMAC-SHA256 of `<t>.<body>`, in hexadecimal>`.",
  schema: Type.String({ maxLength: 200 }),
};
const LAST_EVENT_ID = { description: "Version after which to go on.", schema: Type.String({ pattern: "^\\d{1,15}$" }) };

/** Name and text of an API. */
export interface ApiInfo {
  readonly name: string;
  /** Default `1`, the version in the routes' URLs. */
  readonly version?: string;
  /** Default: a text on how errors look. */
  readonly description?: string;
}
const ERRORS = "Errors are `application/problem+json`; match on their `type`.";

/** One document for each set of roles; cleared when services come or go. */
export class ApiDocuments {
  readonly #broker: ServiceBroker;
  readonly #info: ApiInfo;
  readonly #routes: readonly Route[];
  /** Roles that any route names: no other role changes a document. */
  readonly #roles: readonly string[];
  readonly #documents = new Map<string, object>();

  constructor(broker: ServiceBroker, info: ApiInfo, routes: readonly Route[]) {
    this.#broker = broker;
    this.#info = info;
    this.#routes = routes;
    this.#roles = [...new Set(routes.flatMap(({ access }) => rolesFor(access)))].sort();
  }

  /** The routes that a user with these roles may use. The answers of a service that is not there yet are left open. */
  for(roles: readonly string[]): object {
    const known = this.#roles.filter(role => roles.includes(role));
    const key = known.join(" ");
    let document = this.#documents.get(key);
    if (!document) this.#documents.set(key, (document = this.#write(known)));
    return document;
  }

  /** Services came or went, and with them the schemas of answers. */
  forget(): void {
    this.#documents.clear();
  }

  #write(roles: readonly string[]): object {
    const mayUse = (route: Route): boolean => {
      const asked = rolesFor(route.access);
      return asked.length === 0 || asked.some(role => roles.includes(role));
    };
    const { name: title, version = "1", description = ERRORS } = this.#info;
    const operations = operationsOf(this.#routes.filter(mayUse), promisesByAction(this.#broker));
    return openApi({ title, version, description }, operations);
  }
}

/** The schema of an action's answers, as the registry has it. */
interface Promises {
  readonly returns?: TSchema;
  readonly errors?: DescribedErrors;
}

function promisesByAction(broker: ServiceBroker): ReadonlyMap<string, Promises> {
  const list = broker.registry.getActionList({}) as { name: string; action?: Promises }[];
  return new Map(list.map(({ name, action }) => [name, action ?? {}]));
}

/** An operation has the name of its action; a further route of the same action has its resource besides: `accounts.get.users`. */
function operationIds(): (action: string, url: string) => string {
  const used = new Set<string>();
  return (action, url) => {
    const id = used.has(action) ? `${action}.${url.slice(API.length).split("/", 2)[1]}` : action;
    used.add(id);
    return id;
  };
}

function operationsOf(routes: readonly Route[], promises: ReadonlyMap<string, Promises>): Operation[] {
  const idOf = operationIds();
  return routes.map(route => {
    const { method, url, summary, path, query, body, target, access } = route;
    // A newer version of an operation has its name, after the version: `v2.loans.view`.
    const prefix = route.version === undefined ? "" : `${route.version}.`;
    const { action: asked } = "stream" in target ? target.stream : target;
    const { returns, errors: own } = promises.get(asked) ?? {};
    const errors = { ...usualErrors(route), ...asNamedBy(route, own) };
    const common = { method, url, summary, path, query, body, secured: access !== "public", errors };
    if ("stream" in target)
      return {
        ...common,
        id: `${prefix}${target.stream.actor}.stream`,
        tag: serviceOf(route),
        headers: { "Last-Event-ID": LAST_EVENT_ID },
        status: 200,
        mediaType: "text/event-stream",
        returns: Type.String(),
      };
    const { action, status, versioned, signedBy } = target;
    return {
      ...common,
      // The sender that signs the body decides about its form.
      ...(signedBy !== undefined && { body: {} }),
      id: idOf(`${prefix}${action}`, url),
      tag: serviceOf(route),
      headers: {
        ...(signedBy !== undefined && { [signedBy]: SIGNATURE }),
        ...(takesKey(route) && { [KEY_FIELD]: KEY_HEADER }),
        ...(versioned && (method === "GET" ? READ_CONDITIONS : CHANGE_CONDITIONS)),
      },
      status,
      returns: target.representation?.returns ?? returns,
    };
  });
}

/** A missing resource is a 404 when the URL can name it; a route without params gets its ids in the body. */
function asNamedBy({ path }: Route, errors: DescribedErrors = {}): DescribedErrors {
  if (Object.keys(path).length > 0) return errors;
  return Object.fromEntries(
    Object.entries(errors).map(([code, error]) => [code, { ...error, status: error.inBody ?? error.status }]),
  );
}
