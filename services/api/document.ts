// The API's own description: the routes, and what their actions answer as the registry knows it, so that a gateway
// describes services that run elsewhere without loading their code.
import type { ServiceBroker } from "moleculer";
import Type, { type TSchema } from "typebox";
import { openApi, type DescribedErrors, type Operation } from "@valence/runtime/contract";
import { KEY_FIELD, KEY_HEADER } from "./idempotency.ts";
import { usualErrors } from "./usual-errors.ts";
import type { Route } from "./route.ts";

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

/**
 * OpenAPI 3.1 of the routes: to administrators of all, to anyone else of what they may ask for. Answers of a service that is not there yet are left open.
 */
export function documentOf(broker: ServiceBroker, all: readonly Route[], forAdmin: boolean): object {
  const routes = forAdmin ? all : all.filter(({ access }) => access !== "admin");
  const info = {
    title: "Valence commerce API",
    version: "1",
    description: "Errors are `application/problem+json`; match on their `type`.",
  };
  return openApi(info, operationsOf(routes, promisesByAction(broker)));
}

/** What an action says of its answers, as the registry has it. */
interface Promises {
  readonly returns?: TSchema;
  readonly errors?: DescribedErrors;
}

function promisesByAction(broker: ServiceBroker): ReadonlyMap<string, Promises> {
  const list = broker.registry.getActionList({}) as { name: string; action?: Promises }[];
  return new Map(list.map(({ name, action }) => [name, action ?? {}]));
}

function operationsOf(routes: readonly Route[], promises: ReadonlyMap<string, Promises>): Operation[] {
  return routes.map(route => {
    const { method, url, summary, path, query, body, target, access } = route;
    const common = { method, url, summary, path, query, body, secured: access !== "public" };
    if ("stream" in target)
      return {
        ...common,
        errors: { ...usualErrors(route), ...promises.get("orders.timeline")?.errors },
        id: `${target.stream}.stream`,
        tag: "orders",
        headers: { "Last-Event-ID": LAST_EVENT_ID },
        status: 200,
        mediaType: "text/event-stream",
        returns: Type.String(),
      };
    const { action, status, idempotent, versioned, signedBy } = target;
    return {
      ...common,
      // What it sends is the signer's to say.
      ...(signedBy !== undefined && { body: {} }),
      id: action,
      tag: action.split(".", 1)[0]!,
      headers: {
        ...(signedBy !== undefined && { [signedBy]: SIGNATURE }),
        ...(idempotent && { [KEY_FIELD]: KEY_HEADER }),
        ...(versioned && (method === "GET" ? READ_CONDITIONS : CHANGE_CONDITIONS)),
      },
      status,
      returns: promises.get(action)?.returns,
      errors: { ...usualErrors(route), ...asNamedBy(route, promises.get(action)?.errors) },
    };
  });
}

/** What is not there is a 404 where the URL can name it; of a route without params only the body can have. */
function asNamedBy({ path }: Route, errors: DescribedErrors = {}): DescribedErrors {
  if (Object.keys(path).length > 0) return errors;
  return Object.fromEntries(
    Object.entries(errors).map(([code, error]) => [code, { ...error, status: error.inBody ?? error.status }]),
  );
}
