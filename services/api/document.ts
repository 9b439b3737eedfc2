// The API's own description: the routes, and what their actions answer as the registry knows it, so that a gateway
// describes services that run elsewhere without loading their code.
import type { ServiceBroker } from "moleculer";
import Type, { type TSchema } from "typebox";
import { openApi, type Operation } from "../../mixins/contract/index.ts";
import type { Route } from "./route.ts";

const IDEMPOTENCY_KEY = {
  description: "1 to 128 characters. A repeat with the same key gets the first answer.",
  schema: Type.String({ minLength: 8, maxLength: 130 }),
};
const SIGNATURE = {
  description: "`t=<seconds since the epoch>,v1=<HMAC-SHA256 of `<t>.<body>`, in hexadecimal>`.",
  schema: Type.String({ maxLength: 200 }),
};
const LAST_EVENT_ID = { description: "Version after which to go on.", schema: Type.String({ pattern: "^\\d{1,15}$" }) };

/** OpenAPI 3.1 of the routes. Answers of a service that is not there yet are left open. */
export function documentOf(broker: ServiceBroker, routes: readonly Route[]): object {
  const info = {
    title: "Valence commerce API",
    version: "1",
    description: "Errors are `application/problem+json`; match on their `type`.",
  };
  return openApi(info, operationsOf(routes, returnsByAction(broker)));
}

function returnsByAction(broker: ServiceBroker): ReadonlyMap<string, TSchema> {
  const list = broker.registry.getActionList({}) as { name: string; action?: { returns?: TSchema } }[];
  return new Map(list.flatMap(({ name, action }) => (action?.returns ? [[name, action.returns]] : [])));
}

function operationsOf(routes: readonly Route[], returns: ReadonlyMap<string, TSchema>): Operation[] {
  return routes.map(route => {
    const { method, url, summary, path, query, body, target, access } = route;
    const common = { method, url, summary, path, query, body, secured: access !== "public" };
    if ("stream" in target)
      return {
        ...common,
        id: `${target.stream}.stream`,
        tag: "orders",
        headers: { "Last-Event-ID": LAST_EVENT_ID },
        status: 200,
        mediaType: "text/event-stream",
        returns: Type.String(),
      };
    const { action, status, idempotent, signedBy } = target;
    return {
      ...common,
      // What it sends is the signer's to say.
      ...(signedBy !== undefined && { body: {}, headers: { [signedBy]: SIGNATURE } }),
      id: action,
      tag: action.split(".", 1)[0]!,
      ...(idempotent && { headers: { "Idempotency-Key": IDEMPOTENCY_KEY } }),
      status,
      returns: returns.get(action),
    };
  });
}
