// The mixin of a service that sends public events: consumers make them of inner events, webhooks and topics get them, and operators
// manage the webhooks. Each outbound has a consumer for webhooks, which only writes rows, and one for its topic: a Kafka
// that is away holds up no webhook.
import type { Context, Service, ServiceSchema } from "moleculer";
import Type from "typebox";
import {
  callErrors,
  Cursor,
  paramsOf,
  strictObject,
  typedCall,
  type Meta,
  type Recorded,
} from "../../contract/index.ts";
import { databaseOf, keepsTables } from "../../database/siblings.ts";
import { migrate } from "../../database/mixin.ts";
import type { Database } from "../../database/index.ts";
import { dependsOn, newId, nodeEnvironment, rfc3339, stopsFirst, type DependencyState } from "../../kernel/index.ts";
import { metersOf, reading } from "../../metrics/index.ts";
import { sourceOf } from "../cloud-events.ts";
import { consumersOf } from "../consumer/consumers.ts";
import { Consuming } from "../consumer/consuming.ts";
import type { Consumer } from "../consumer/consumer.ts";
import { kafkaEnvironment } from "../environment.ts";
import type { Outbound } from "./define-outbound.ts";
import { Deliveries, type DeliveryFilter } from "./deliveries.ts";
import { outboundEnvironment } from "./environment.ts";
import { limits } from "./limits.ts";
import { outboundMetrics } from "./metrics.ts";
import { migrations } from "./migrations.ts";
import { Networks } from "./networks.ts";
import { Poster } from "./post.ts";
import { publicEvents, type PublicEvent } from "./public-event.ts";
import { send, Sender, type SenderOptions } from "./sender.ts";
import { PublicTopic } from "./topic.ts";
import { Webhooks } from "./webhooks.ts";

interface Sending {
  readonly database: Database;
  readonly webhooks: Webhooks;
  readonly deliveries: Deliveries;
  readonly poster: Poster;
  readonly networks: Networks;
  readonly sender: Sender;
}
const sendings = new WeakMap<Service, Promise<Sending>>();

/** The tables of webhooks are not made again from a log: a commit is on disk before it is answered. */
async function outboundTables(service: Service): Promise<Database> {
  const database = await databaseOf(service);
  await migrate(database, "outbound", migrations);
  return database;
}

/** The sender of a service, and what it works on. */
export function sendingOf(service: Service): Promise<Sending> {
  const known = sendings.get(service);
  if (known) return known;
  const opening = openSending(service);
  sendings.set(service, opening);
  return opening;
}

async function openSending(service: Service): Promise<Sending> {
  const database = await outboundTables(service);
  const networks = new Networks(outboundEnvironment.of(service.broker).WEBHOOK_NETWORKS);
  const webhooks = new Webhooks(database);
  const deliveries = new Deliveries(database, webhooks);
  const poster = new Poster(networks);
  const count = counting(service, webhooks, deliveries);
  const now = (): Promise<number> => database.now();
  const sender = new Sender({ webhooks, deliveries, poster, now, logger: service.logger, count });
  dependsOn(service.broker, { kind: "webhooks", name: service.fullName, ask: () => webhooksState(webhooks) });
  return { database, webhooks, deliveries, poster, networks, sender };
}

/** Sends public events: `mixins: [Outbounds(LoanEnded)]`. Gives the service the operations of its webhooks. */
export function Outbounds(outbounds: Outbound | readonly Outbound[]): Partial<ServiceSchema> {
  const list: readonly Outbound[] = Array.isArray(outbounds) ? outbounds : [outbounds as Outbound];
  return {
    mixins: [
      Consuming(
        list.flatMap(outbound => consumerNamesOf(outbound)),
        list.flatMap(({ on }) => Object.keys(on)),
      ),
    ],
    metadata: { publicEvents: Object.fromEntries(list.map(outbound => [outbound.event, announced(outbound)])) },
    actions: webhookActions(list.map(({ event }) => event)),
    created(this: Service) {
      keepsTables(this, () => outboundTables(this));
      stopsFirst(this, async () => {
        void consumersOf(this)
          .then(consumers => consumers.stop())
          .catch(() => {});
      });
    },
    async started(this: Service) {
      const sending = await sendingOf(this);
      const consumers = await consumersOf(this);
      for (const outbound of list) for (const one of consumersFor(this, outbound, sending)) consumers.add(one);
      sending.sender.start();
    },
    async stopped(this: Service) {
      await (await sendings.get(this))?.sender.stop();
    },
  } as Partial<ServiceSchema>;
}

/** What other nodes and the catalogue of events know of a public event. */
const announced = ({ version, schema, topic, on }: Outbound) => ({
  version,
  schema: strictObject(schema),
  from: Object.keys(on),
  ...(topic !== undefined && { topic }),
});

const consumerNamesOf = ({ event, topic }: Outbound): string[] => [
  event,
  ...(topic === undefined ? [] : [`${event}/topic`]),
];

function consumersFor(service: Service, outbound: Outbound, { webhooks, deliveries, sender }: Sending): Consumer[] {
  const { broker, fullName } = service;
  const source = sourceOf({ namespace: nodeEnvironment.of(broker).NAMESPACE, service: fullName });
  const make = publicEvents(outbound, { source, call: typedCall(broker) });
  const [ofWebhooks, ofTopic] = consumerNamesOf(outbound) as [string, string?];
  const consumer = (
    name: string,
    isWanted: () => Promise<boolean>,
    take: (made: PublicEvent) => Promise<unknown>,
  ): Consumer => ({
    name,
    types: Object.keys(outbound.on),
    definition: [JSON.stringify(outbound.schema), ...Object.values(outbound.on).map(String)].join("\n"),
    async react(event: Recorded) {
      // Before the mapping, whose calls cost more than anything here.
      if (!(await isWanted())) return;
      const made = await make(event);
      if (made !== undefined) await take(made);
    },
  });
  const toWebhooks = consumer(
    ofWebhooks,
    () => webhooks.isWanted(outbound.event),
    async made => {
      if ((await deliveries.note(made)) > 0) sender.wake();
    },
  );
  if (ofTopic === undefined || kafkaEnvironment.of(broker).KAFKA_BROKERS === undefined) return [toWebhooks];
  const records = new PublicTopic(broker, outbound.topic!);
  const toTopic = consumer(
    ofTopic,
    async () => true,
    made => records.publish(made),
  );
  return [toWebhooks, toTopic];
}

async function webhooksState(webhooks: Webhooks): Promise<DependencyState> {
  const [first, ...others] = await webhooks.disabled();
  if (!first) return { status: "ok", message: "no webhook is disabled" };
  const which = others.length === 0 ? `webhook ${first.id} is` : `${others.length + 1} webhooks are`;
  return {
    status: "warn",
    message: `${which} disabled: ${first.reason}`,
    advice: `talk to the receiver, then \`webhook ${first.id} resume\`, and \`replay\` what it has missed`,
    figures: { disabled: others.length + 1 },
  };
}

/** Counts attempts; rows are read at a scrape. */
function counting(service: Service, webhooks: Webhooks, deliveries: Deliveries): SenderOptions["count"] {
  const meters = metersOf(service.broker);
  if (!meters) return undefined;
  const labels = { service: service.fullName };
  const read = async () => [
    reading(outboundMetrics.waiting, await deliveries.waiting(), labels),
    reading(outboundMetrics.disabled, (await webhooks.disabled()).length, labels),
  ];
  meters.read("webhooks", read, { keptMs: limits.metricsKeptMs });
  const series = {
    delivered: meters.counter(outboundMetrics.deliveries, { ...labels, outcome: "delivered" }),
    postponed: meters.counter(outboundMetrics.deliveries, { ...labels, outcome: "postponed" }),
    given_up: meters.counter(outboundMetrics.deliveries, { ...labels, outcome: "given_up" }),
  };
  return outcome => series[outcome].add();
}

// ---- operations

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

/** The operations on webhooks, for the service `ops`. `known`: names of the public events. */
function webhookActions(known: readonly string[]) {
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
      params: paramsOf({ url: Type.String({ maxLength: 2_000 }), events: Type.Array(Type.String(), { minItems: 1 }) }),
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
