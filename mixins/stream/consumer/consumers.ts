// The consumers of one service: finds the owners of the events that they subscribe to, runs a reader for each partition of
// their logs, and answers for their state.
import type { Service } from "moleculer";
import { dependsOn, isStopping } from "../../kernel/index.ts";
import type { Database } from "../../database/index.ts";
import type { Carrier } from "../carriers/carrier.ts";
import { carrierOf } from "../carriers/resolve.ts";
import { STREAM_LIMITS } from "../limits.ts";
import { streamReader } from "../log/read-stream.ts";
import { streamEnvironment } from "../environment.ts";
import { ALL_TYPES, isOf, ownedBy, ownersOf, type Owned } from "../log/registry.ts";
import { STOPPED, type ConsumerStopped, type LogEvent, type LogPage, type ReadLog } from "../log/source.ts";
import { streamErrors } from "../errors.ts";
import { streamTables } from "../tables.ts";
import { acknowledgedBy, type AcknowledgedQuery } from "./acknowledged.ts";
import type { Consumer, ConsumerContext } from "./consumer.ts";
import { measureConsumers } from "./measure.ts";
import { PartitionReader } from "./partition-reader.ts";
import { LastKnown, type LagOf } from "./last-known.ts";
import { resetConsumer, type Reset, type ResetReport } from "./reset.ts";
import { consumerState, statusOf, type ConsumerStatus } from "./status.ts";

const registries = new WeakMap<Service, Promise<Consumers>>();

/** The consumers of a service instance: one set, however many mixins add to it. */
export function consumersOf(service: Service): Promise<Consumers> {
  let consumers = registries.get(service);
  if (!consumers) {
    consumers = Consumers.open(service);
    registries.set(service, consumers);
  }
  return consumers;
}

interface Running {
  readonly consumer: Consumer;
  readonly readers: Map<string, PartitionReader>;
  /** Takes it out of what the process depends on. */
  readonly forget: () => void;
}

export class Consumers {
  readonly database: Database;
  readonly #service: Service;
  readonly #context: ConsumerContext;
  readonly #carrier: Carrier;
  readonly #running = new Map<string, Running>();
  readonly #lastKnown = new LastKnown(STREAM_LIMITS.statusReadMs);
  /** The account of each source of its log, the last one of a source that is away. */
  readonly #owned = new Map<string, Owned>();
  readonly #looking: NodeJS.Timeout;
  readonly #endMeasuring: () => void;
  readonly #look = (): void => this.#readAll();

  private constructor(service: Service, database: Database) {
    this.database = database;
    this.#service = service;
    this.#carrier = carrierOf(service.broker);
    const readStream = streamReader(service.broker);
    this.#context = {
      database,
      carrier: this.#carrier,
      logger: service.logger,
      limits: STREAM_LIMITS,
      readStream: async (source, ...stream) => this.#ownOf(source, await readStream(source, ...stream)),
      ownOf: (source, events) => this.#ownOf(source, events),
      release: streamEnvironment.of(service.broker).RELEASE,
      isStopping: () => isStopping(service.broker),
      readLog: (source, params) => this.#readLog(source, params),
      tellStopped: (consumer, source) =>
        void service.broker
          .broadcast(STOPPED, { service: service.fullName, consumer, source } satisfies ConsumerStopped)
          .catch(() => {}),
    };
    service.broker.localBus.on("$services.changed", this.#look);
    this.#looking = setInterval(this.#look, STREAM_LIMITS.lookMs).unref();
    this.#endMeasuring = measureConsumers(service, () => this.all());
  }

  static async open(service: Service): Promise<Consumers> {
    return new Consumers(service, await streamTables(service));
  }

  /**
   * Starts a consumer. It reads its sources as they appear, until it is removed or the service stops. Throws Error for a
   * second one of its name, and for a type that the service does not announce.
   */
  add(consumer: Consumer): void {
    if (this.#running.has(consumer.name))
      throw new Error(`${this.#service.fullName}: two consumers named "${consumer.name}"`);
    const { takes = {} } = this.#service.metadata as { takes?: object };
    const untold = (consumer.types === "all" ? [ALL_TYPES] : consumer.types).find(type => !(type in takes));
    if (untold !== undefined)
      throw new Error(
        `${this.#service.fullName}: the mixin Consuming is not told that ${consumer.name} takes ${untold}`,
      );
    const name = `${this.#service.fullName}: ${consumer.name}`;
    const forget = dependsOn(this.#service.broker, {
      kind: "consumer",
      name,
      ask: async () => consumerState(await this.status(consumer.name)),
    });
    this.#running.set(consumer.name, { consumer, readers: new Map(), forget });
    this.#look();
  }

  /** Stops a consumer; its checkpoints stay. */
  async remove(name: string): Promise<void> {
    const readers = this.#readersOf(name);
    this.#running.get(name)?.forget();
    this.#running.delete(name);
    this.#lastKnown.forget(name);
    await Promise.all(readers.map(reader => reader.stop()));
  }

  /** There may be something new in a source's log. */
  wake(source: string): void {
    this.#carrier.wake(source);
  }

  async stop(): Promise<void> {
    clearInterval(this.#looking);
    this.#endMeasuring();
    this.#service.broker.localBus.off("$services.changed", this.#look);
    await Promise.all([...this.#running.keys()].map(name => this.remove(name)));
  }

  /** Where a consumer stands, whichever node runs it. */
  status(name: string): Promise<ConsumerStatus> {
    const lagIn: LagOf = (source, cursor) =>
      this.#readLog(source, { cursor, limit: 0 }).then(
        ({ behind }) => behind ?? null,
        () => null,
      );
    return this.#lastKnown.statusOf(name, lagIn, lagOf =>
      statusOf(this.database, name, {
        // Read before the rows: a reader writes why it has stopped before its state says so.
        states: this.#readersOf(name).map(reader => reader.state),
        limits: { ...STREAM_LIMITS, ...this.#running.get(name)?.consumer.limits },
        lagOf,
      }),
    );
  }

  all(): Promise<ConsumerStatus[]> {
    return Promise.all([...this.#running.keys()].map(name => this.status(name)));
  }

  /**
   * Whether an owner of these types has this version of an actor's stream. False if none of the owners has it and all of
   * them answer; null, which is not known, if one does not answer or there is none.
   */
  async isWritten(types: readonly string[], id: string, version: number): Promise<boolean | null> {
    const owners = [...ownersOf(this.#service.broker, types)];
    const stream = { id, from: version };
    const found = await Promise.all(
      owners.map(owner =>
        this.#readLog(owner, { cursor: "", limit: 1, stream }).then(
          ({ events }) => events.length > 0,
          () => null,
        ),
      ),
    );
    if (found.includes(true)) return true;
    return found.length === 0 || found.includes(null) ? null : false;
  }

  /**
   * Sends on a consumer that has stopped because its cursor is not in a log (reset.ts). A repetition is refused.
   * @throws Refusal `CONSUMER_NOT_FOUND`, `CONSUMER_NOT_STOPPED`
   */
  async reset(name: string, reset: Reset): Promise<ResetReport> {
    const { consumer } = this.#running.get(name) ?? {};
    const restart = reset.to === "start" ? consumer?.restart : undefined;
    const report = await resetConsumer(this.database, name, {
      ...reset,
      dryRun: reset.dryRun || restart !== undefined,
    });
    if (restart) {
      if (!reset.dryRun) await restart();
      return { ...report, dryRun: reset.dryRun, rebuild: true };
    }
    if (!reset.dryRun) {
      this.#service.logger.warn(`consumer ${name} is sent to the ${reset.to} of its log`, report.places);
      for (const reader of this.#readersOf(name)) reader.lookNow();
    }
    return report;
  }

  /** Ids of the streams that every consumer of the source here has handled up to their version. */
  acknowledged(query: AcknowledgedQuery): Promise<string[]> {
    const { broker } = this.#service;
    const consumers = [...this.#running.values()].map(({ consumer }) => consumer);
    const reading = consumers.filter(({ types }) => ownersOf(broker, types).has(query.source));
    const names = reading.map(({ name }) => name);
    return acknowledgedBy(this.database, names, ownedBy(broker, query.source)?.actor, query);
  }

  #readersOf(name: string): PartitionReader[] {
    return [...(this.#running.get(name)?.readers.values() ?? [])];
  }

  /** Starts the readers that are missing. */
  #readAll(): void {
    for (const { consumer, readers } of this.#running.values())
      for (const source of ownersOf(this.#service.broker, consumer.types)) {
        const owned = ownedBy(this.#service.broker, source);
        if (owned) this.#owned.set(source, owned);
        for (const partition of this.#carrier.partitions(source)) {
          const key = `${source}/${partition}`;
          // An owner that is away for a while keeps its reader, which waits and asks again.
          if (!readers.has(key)) readers.set(key, new PartitionReader(this.#context, consumer, source, partition));
        }
      }
  }

  /**
   * The events, all of the source's own log. One of another actor's would be taken for that actor's, and its version would
   * hide events that the true owner writes.
   * @throws Bug `LOG_FOREIGN`
   */
  #ownOf(source: string, events: readonly LogEvent[]): readonly LogEvent[] {
    const owned = this.#owned.get(source);
    const foreign = owned && events.find(event => !isOf(owned, event));
    if (foreign)
      throw streamErrors.LOG_FOREIGN({ source, actor: owned.actor, event: foreign.eventId, type: foreign.type });
    return events;
  }

  #readLog(source: string, params: ReadLog): Promise<LogPage> {
    return this.#service.broker.call(`${source}.readLog`, params);
  }
}
