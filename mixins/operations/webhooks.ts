// The webhooks that get public events. They are kept by the service that sends these, of which there is one.
import Type from "typebox";
import type { Context } from "../contract/index.ts";
import { streamErrors } from "../stream/index.ts";
import { ask, by, hasPublicEvents, limits, servicesWith } from "./asking.ts";
import { pageIn } from "./pages.ts";
import { cursor, id, limit, listOf, note, page } from "./params.ts";

const State = Type.Enum(["active", "paused", "disabled"]);
const event = Type.String({ minLength: 1, maxLength: 200, pattern: "^[a-z][a-z0-9_.]*$" });
/** Without user and password: what is asked for is recorded before anything else is done. */
const url = Type.String({ maxLength: 2_000, pattern: "^https?://[^/?#@\\s]+([/?#].*)?$" });
const moment = Type.Optional(Type.String());

/** A webhook as it is shown: without its secret. `failures`: since the last success. */
const fields = {
  id: Type.String(),
  url: Type.String(),
  events: Type.Array(Type.String()),
  state: State,
  /** Why it is disabled. */
  reason: Type.Optional(Type.String()),
  createdAt: Type.String(),
  lastSuccessAt: moment,
  failures: Type.Integer(),
  /** It is tried again then: it could not be reached, or asked for time. */
  heldUntil: moment,
};
const Webhook = Type.Object(fields, { title: "Webhook" });

/** The part of the contract of operations that is about webhooks. */
export const webhookContract = {
  actions: {
    /** Webhooks, the oldest first. */
    webhooks: { params: page, returns: listOf("webhooks") },
    /** Makes a webhook for these public events. Not repeatable: the secret is in this answer alone. */
    addWebhook: {
      params: {
        url,
        events: Type.Array(event, { minItems: 1, maxItems: 50, uniqueItems: true }),
        note,
      },
      returns: Type.Object({ ...fields, secret: Type.String() }),
    },
    /** Sends it nothing; its events are noted, and wait for thirty days at most. */
    pauseWebhook: { params: { id, note }, returns: Webhook },
    /** Sends to it again, with no failure held against it. */
    resumeWebhook: { params: { id, note }, returns: Webhook },
    removeWebhook: { params: { id, note }, returns: Type.Object({ id: Type.String(), removed: Type.Boolean() }) },
    /** Not repeatable: the secret is in this answer alone. Until `oldSecretUntil` requests have a signature by either. */
    rotateWebhook: {
      params: { id, note },
      returns: Type.Object({ id: Type.String(), secret: Type.String(), oldSecretUntil: Type.String() }),
    },
    /** Sends an event `webhook.test.v1` at once. */
    testWebhook: {
      params: { id, note },
      returns: Type.Object({
        id: Type.String(),
        isDelivered: Type.Boolean(),
        ms: Type.Integer(),
        status: Type.Optional(Type.Integer()),
        reason: Type.Optional(Type.String()),
      }),
    },
    /** Deliveries of the last thirty days, the newest first. */
    webhookDeliveries: {
      params: {
        webhook: Type.Optional(id),
        state: Type.Optional(Type.Enum(["waiting", "delivered", "given_up"])),
        limit,
        cursor,
      },
      returns: listOf("deliveries"),
    },
    /**
     * Makes deliveries due again, also those that the webhook has never had: `delivery`, or those of events since a time, of one
     * name or of all. Receivers see ids that they know. `isAll` is false after 10 000: ask again with a later time.
     */
    replayWebhook: {
      params: {
        id,
        delivery: Type.Optional(id),
        since: Type.Optional(Type.String({ format: "date-time", maxLength: 40 })),
        event: Type.Optional(event),
        note,
      },
      returns: Type.Object({ id: Type.String(), count: Type.Integer(), isAll: Type.Boolean() }),
    },
  },
  mayRefuse: {
    webhooks: [],
    addWebhook: ["WEBHOOKS_NOT_SERVED", "TOO_MANY_WEBHOOKS"],
    pauseWebhook: ["WEBHOOKS_NOT_SERVED", "WEBHOOK_NOT_FOUND"],
    resumeWebhook: ["WEBHOOKS_NOT_SERVED", "WEBHOOK_NOT_FOUND"],
    removeWebhook: ["WEBHOOKS_NOT_SERVED", "WEBHOOK_NOT_FOUND"],
    rotateWebhook: ["WEBHOOKS_NOT_SERVED", "WEBHOOK_NOT_FOUND"],
    testWebhook: ["WEBHOOKS_NOT_SERVED", "WEBHOOK_NOT_FOUND"],
    webhookDeliveries: ["WEBHOOKS_NOT_SERVED"],
    replayWebhook: ["WEBHOOKS_NOT_SERVED", "WEBHOOK_NOT_FOUND", "DELIVERY_NOT_FOUND"],
  },
  permissions: {
    webhooks: "operations:read",
    addWebhook: "operations:write",
    pauseWebhook: "operations:write",
    resumeWebhook: "operations:write",
    removeWebhook: "operations:write",
    rotateWebhook: "operations:write",
    testWebhook: "operations:write",
    webhookDeliveries: "operations:read",
    replayWebhook: "operations:write",
  },
} as const;

/** Asks the service that sends public events. A note is for the record of the operation. */
const passedOn =
  (action: string) =>
  (ctx: Context): Promise<any> => {
    const [service] = servicesWith(ctx.broker, hasPublicEvents);
    if (service === undefined) throw streamErrors.WEBHOOKS_NOT_SERVED();
    const { note: _noted, ...params } = ctx.params as { note?: string };
    return ask(ctx, service, action, params);
  };

export const webhookOperations = {
  async webhooks(ctx: Context<{ limit?: number; cursor?: string }>) {
    const [service] = servicesWith(ctx.broker, hasPublicEvents);
    const { webhooks } =
      service === undefined
        ? { webhooks: [] }
        : await ask<{ webhooks: Record<string, unknown>[] }>(ctx, service, "webhooks");
    const { limit: max = limits.page, cursor: after } = ctx.params;
    const { entries, ...next } = pageIn(webhooks, { list: "webhooks", limit: max, cursor: after, key: [by("id")] });
    return { webhooks: entries, ...next };
  },
  addWebhook: passedOn("addWebhook"),
  pauseWebhook: passedOn("pauseWebhook"),
  resumeWebhook: passedOn("resumeWebhook"),
  removeWebhook: passedOn("removeWebhook"),
  rotateWebhook: passedOn("rotateWebhook"),
  testWebhook: passedOn("testWebhook"),
  webhookDeliveries: passedOn("webhookDeliveries"),
  replayWebhook: passedOn("replayWebhook"),
};
