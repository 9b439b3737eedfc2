// A consumer for tests that writes each event into a table without a key: an event that is applied twice is there twice.
import type { Service, ServiceBroker, ServiceSchema } from "moleculer";
import { until } from "../../testing/index.ts";
import { consumersOf, Consuming, type Consumer, type ConsumerStatus, type Failures } from "../siblings.ts";
import type { Database } from "../../database/index.ts";
import { migrate } from "../../database/mixin.ts";
import { databaseOf } from "../../database/siblings.ts";

export const TYPES = ["thing.made", "thing.used", "thing.ended"];

export const writer = (
  over: Partial<Consumer> = {},
  fails: (eventId: string) => unknown = () => undefined,
): Consumer => ({
  name: "writer",
  types: TYPES,
  limits: { retryMinMs: 5, retryMaxMs: 20 },
  async write(trx, events) {
    const failures: Failures = new Map();
    for (const event of events) {
      const stream = `${event.actor}.${event.stream}`;
      const error = failures.has(stream) ? undefined : fails(event.eventId);
      if (error !== undefined) failures.set(stream, { event, error });
      if (!failures.has(stream)) await trx("applied").insert({ stream: event.stream, version: event.version });
    }
    return failures;
  },
  ...over,
});

/** A service with these consumers, and the table. */
export const consuming = (name: string, ...list: Consumer[]): ServiceSchema => ({
  name,
  mixins: [
    Consuming(
      list.map(consumer => consumer.name),
      list.some(({ types }) => types === "all") ? "all" : [...TYPES, ...list.flatMap(({ types }) => types)],
    ),
  ],
  async started(this: Service) {
    const consumers = await consumersOf(this);
    await migrate(consumers.database, "test", [
      {
        name: "applied",
        up: knex =>
          knex.schema.createTable("applied", table => {
            table.increments("id");
            table.string("stream");
            table.integer("version");
          }),
      },
    ]);
    for (const consumer of list) consumers.add(consumer);
  },
});

export const inside = (broker: ServiceBroker, name = "readers"): Service => broker.getLocalService(name);
export const databaseIn = (broker: ServiceBroker, name?: string): Promise<Database> =>
  databaseOf(inside(broker, name), { rebuildable: true });

/** `<stream>@<version>`, in the order in which they were written. */
export async function appliedIn(broker: ServiceBroker, name?: string): Promise<string[]> {
  const rows = await (await databaseIn(broker, name)).knex("applied").orderBy("id");
  return rows.map(({ stream, version }) => `${stream}@${version}`);
}
export const applied = (broker: ServiceBroker, count: number, name?: string): Promise<string[]> =>
  until(
    () => appliedIn(broker, name),
    list => list.length >= count,
  );
export const statusIn = async (broker: ServiceBroker, name = "writer"): Promise<ConsumerStatus> =>
  (await consumersOf(inside(broker))).status(name);
