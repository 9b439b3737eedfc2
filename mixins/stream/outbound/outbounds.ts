// The mixin of a service that sends public events: consumers make them of inner events, webhooks and topics get them, and operators
// manage the webhooks. Each outbound has a consumer for webhooks, which only writes rows, and one for its topic: a Kafka
// that is away holds up no webhook.
import type { Service, ServiceSchema } from "moleculer";
import { strictObject, typedCall, type Recorded } from "../../contract/index.ts";
import { keepsTables } from "../../database/siblings.ts";
import { nodeEnvironment } from "../../kernel/index.ts";
import { sourceOf } from "../cloud-events.ts";
import type { Consumer } from "../consumer/consumer.ts";
import { consumersOf, stopsConsumersFirst } from "../consumer/consumers.ts";
import { Consuming } from "../consumer/consuming.ts";
import { kafkaEnvironment } from "../environment.ts";
import type { Outbound } from "./define-outbound.ts";
import { publicEvents, type PublicEvent } from "./public-event.ts";
import { outboundTables, sendingOf, stopSending, type Sending } from "./sending.ts";
import { PublicTopic } from "./topic.ts";
import { webhookActions } from "./webhook-actions.ts";

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
      stopsConsumersFirst(this);
    },
    async started(this: Service) {
      const sending = await sendingOf(this);
      const consumers = await consumersOf(this);
      for (const outbound of list) for (const one of consumersFor(this, outbound, sending)) consumers.add(one);
      sending.sender.start();
    },
    async stopped(this: Service) {
      await stopSending(this);
    },
  } as Partial<ServiceSchema>;
}

/** A public event as other nodes and the catalogue of events know it. */
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
