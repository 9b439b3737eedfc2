// The operations on webhooks, which the service `ops` asks for on behalf of an operator.
import type { Context, Service } from "moleculer";
import Type from "typebox";
import { callErrors, Cursor, paramsOf, type Meta } from "../../contract/index.ts";
import { newId, nodeEnvironment, rfc3339 } from "../../kernel/index.ts";
import { sourceOf } from "../cloud-events.ts";
import type { DeliveryFilter } from "./deliveries.ts";
import { limits } from "./limits.ts";
import type { Networks } from "./networks.ts";
import { send } from "./sender.ts";
import { sendingOf } from "./sending.ts";

const id = Type.String({ minLength: 1, maxLength: 64 });
const reads = { visibility: "public", permission: "operations:read" } as const;
const writes = { visibility: "public", permission: "operations:write" } as const;

interface Adding {
  readonly url: string;
  readonly events: readonly string[];
}
interface Replaying {
  readonly id: string;
  readonly delivery?: string;
  readonly since?: string;
  readonly event?: string;
}

/** The actions of a service whose public events have these names. */
export function webhookActions(known: readonly string[]) {
  return {
    webhooks: {
      ...reads,
      params: paramsOf({}),
      async handler(this: Service) {
        return { webhooks: await (await sendingOf(this)).webhooks.list() };
      },
    },
    addWebhook: {
      ...writes,
      params: paramsOf({
        url: Type.String({ maxLength: limits.urlCharsMax }),
        events: Type.Array(Type.String(), { minItems: 1 }),
      }),
      async handler(this: Service, ctx: Context<Adding, Meta>) {
        refuseKeys(ctx);
        const { url, events } = ctx.params;
        const { webhooks, networks } = await sendingOf(this);
        const unknown = events.find(event => !known.includes(event));
        if (unknown !== undefined) throw invalid("events", `has ${unknown}: there are ${known.join(", ")}`);
        return webhooks.add(checkedUrl(url, networks), [...new Set(events)]);
      },
    },
    pauseWebhook: {
      ...writes,
      params: paramsOf({ id }),
      async handler(this: Service, { params }: Context<{ id: string }>) {
        return (await sendingOf(this)).webhooks.pause(params.id);
      },
    },
    resumeWebhook: {
      ...writes,
      params: paramsOf({ id }),
      async handler(this: Service, { params }: Context<{ id: string }>) {
        const { webhooks, sender } = await sendingOf(this);
        const resumed = await webhooks.resume(params.id);
        sender.wake();
        return resumed;
      },
    },
    removeWebhook: {
      ...writes,
      params: paramsOf({ id }),
      async handler(this: Service, { params }: Context<{ id: string }>) {
        await (await sendingOf(this)).webhooks.remove(params.id);
        return { id: params.id, removed: true };
      },
    },
    rotateWebhook: {
      ...writes,
      params: paramsOf({ id }),
      async handler(this: Service, ctx: Context<{ id: string }, Meta>) {
        refuseKeys(ctx);
        const { id: webhook } = ctx.params;
        return { id: webhook, ...(await (await sendingOf(this)).webhooks.rotate(webhook)) };
      },
    },
    testWebhook: {
      ...writes,
      params: paramsOf({ id }),
      async handler(this: Service, { params }: Context<{ id: string }>) {
        const { webhooks, poster } = await sendingOf(this);
        const target = await webhooks.target(params.id);
        const { status, ms, reason } = await send(poster, target, testEvent(this), limits.testMs);
        return {
          id: target.id,
          isDelivered: reason === undefined,
          ms,
          ...(status !== undefined && { status }),
          ...(reason !== undefined && { reason }),
        };
      },
    },
    webhookDeliveries: {
      ...reads,
      params: paramsOf({
        webhook: Type.Optional(id),
        state: Type.Optional(Type.Enum(["waiting", "delivered", "given_up"])),
        limit: Type.Optional(Type.Integer({ minimum: 1, maximum: limits.pageMax })),
        cursor: Type.Optional(Cursor),
      }),
      async handler(this: Service, { params }: Context<DeliveryFilter>) {
        return (await sendingOf(this)).deliveries.list(params);
      },
    },
    replayWebhook: {
      ...writes,
      params: paramsOf({
        id,
        delivery: Type.Optional(id),
        since: Type.Optional(Type.String({ format: "date-time", maxLength: 40 })),
        event: Type.Optional(Type.String({ maxLength: 200 })),
      }),
      async handler(this: Service, { params: { since, ...params } }: Context<Replaying>) {
        const { webhooks, deliveries, sender } = await sendingOf(this);
        await webhooks.target(params.id);
        if (params.delivery === undefined && since === undefined)
          throw invalid("since", "is required, unless one delivery is named");
        const which = { ...params, ...(since !== undefined && { since: Date.parse(since) }) };
        const replayed = await deliveries.replay(params.id, which);
        sender.wake();
        return { id: params.id, ...replayed };
      },
    },
  };
}

/** A webhook, and its secret, are access that outlives an API key which may be stolen. */
function refuseKeys({ meta: { user } }: { readonly meta: Meta }): void {
  if (user?.scopes !== undefined)
    throw callErrors.FORBIDDEN({ message: "an API key may not do this: log in as a person" });
}

const invalid = (field: string, message: string): Error => callErrors.VALIDATION_ERROR({ field, message });

/** The URL as it is kept. Whether its name leads to an allowed address is asked again with each request. */
function checkedUrl(text: string, networks: Networks): string {
  const url = URL.parse(text);
  const isPlain = url?.protocol === "http:";
  if (!url || (url.protocol !== "https:" && !(isPlain && networks.hasPrivate)))
    throw invalid("url", "is no https URL; http is for networks that WEBHOOK_NETWORKS names");
  if (url.username !== "" || url.password !== "") throw invalid("url", "has a user or a password in it");
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const isAddress = /^[\d.]+$|:/.test(host);
  if (isAddress && !networks.allows(host, { isPlain }))
    throw invalid("url", `${host} is not a public address, nor in WEBHOOK_NETWORKS`);
  url.hash = "";
  // What is not ASCII is three to twelve times as long now.
  if (url.href.length > limits.urlCharsMax) throw invalid("url", `has more than ${limits.urlCharsMax} characters`);
  return url.href;
}

/** An event that tells nothing, for an operator who tries a webhook. */
function testEvent({ broker, fullName }: Service): { event: string; body: string } {
  const event = newId();
  const { NAMESPACE: namespace } = nodeEnvironment.of(broker);
  const body = {
    specversion: "1.0",
    id: event,
    source: sourceOf({ namespace, service: fullName }),
    type: "webhook.test.v1",
    time: rfc3339(Date.now()),
    datacontenttype: "application/json",
    data: {},
  };
  return { event, body: JSON.stringify(body) };
}
