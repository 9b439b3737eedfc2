// The API's description (OpenAPI 3.1): the routes, and the schemas of their actions' answers from the registry, so that
// a gateway describes services that run elsewhere without loading their code.
import type { ServiceBroker } from "moleculer";
import { openApi, type DocumentInfo } from "../../contract/index.ts";
import { rolesFor, type Route } from "../route/route.ts";
import { operationIds } from "./operation-id.ts";
import { actionOf, operationOf, type Common, type Promises } from "./operations.ts";

/** Name and text of an API. */
export interface ApiInfo {
  readonly name: string;
  /** Default `1`, the version in the routes' URLs. */
  readonly version?: string;
  /** Default: a text on how errors look. */
  readonly description?: string;
  /** The licence of the description, by its name and its SPDX identifier. */
  readonly license?: DocumentInfo["license"];
  /** One sentence on each group of operations, by the name of the service that answers them. */
  readonly groups?: Readonly<Record<string, string>>;
}
const ERRORS = "Errors are `application/problem+json`; match on their `type`.";

export interface DescribedGateway extends Common {
  readonly broker: ServiceBroker;
  readonly info: ApiInfo;
  readonly routes: readonly Route[];
  /** Where clients reach the gateway. Default: where the document was read. */
  readonly url?: string | undefined;
}

/** One document for each set of roles; cleared when services come or go. */
export class ApiDocuments {
  readonly #gateway: DescribedGateway;
  readonly #routes: readonly (readonly [route: Route, id: string])[];
  /** Roles that any route names: no other role changes a document. */
  readonly #roles: readonly string[];
  readonly #documents = new Map<string, object>();

  constructor(gateway: DescribedGateway) {
    const { routes } = gateway;
    this.#gateway = gateway;
    // Ids follow from all routes, so that an operation has one name in every reader's document.
    const ids = operationIds(routes.map(route => ({ ...route, action: actionOf(route) })));
    this.#routes = routes.map((route, i) => [route, ids[i]!]);
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
    const { broker, info, url, credentials } = this.#gateway;
    const { name: title, version = "1", description = ERRORS, license, groups = {} } = info;
    const promises = promisesByAction(broker);
    const operations = this.#routes
      .filter(([route]) => mayUse(route))
      .map(([route, id]) => operationOf(route, id, promises.get(actionOf(route)) ?? {}, this.#gateway));
    return openApi({ title, version, description, license }, operations, {
      ...(url !== undefined && { servers: [{ url }] }),
      tags: groups,
      securitySchemes: credentials.schemes,
    });
  }
}

function promisesByAction(broker: ServiceBroker): ReadonlyMap<string, Promises> {
  const list = broker.registry.getActionList({}) as { name: string; action?: Promises }[];
  return new Map(list.map(({ name, action }) => [name, action ?? {}]));
}
