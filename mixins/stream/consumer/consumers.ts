// The consumers of one service: finds the owners of the events that they subscribe to, runs a reader for each of their logs on
// the partitions that are this node's share, and answers for their state.
import type { Service } from "moleculer";
import { dependsOn, isStopping, stopsFirst } from "../../kernel/index.ts";
import type { Database } from "../../database/index.ts";
import type { Carrier } from "../carriers/carrier.ts";
import { carrierOf } from "../carriers/resolve.ts";
import { STREAM_LIMITS } from "../limits.ts";
import { streamReader } from "../log/read-stream.ts";
import { streamEnvironment } from "../environment.ts";
import { ALL_TYPES, isOf, journalSources, ownedBy, ownersOf, type Owned } from "../log/registry.ts";
import { STOPPED, type ConsumerStopped, type LogEvent, type LogPage, type ReadLog } from "../log/source.ts";
import { streamErrors } from "../errors.ts";
import { streamTables } from "../tables.ts";
import { acknowledgedBy, type AcknowledgedQuery } from "./acknowledged.ts";
import type { Consumer, ConsumerContext } from "./consumer.ts";
import { measureConsumers } from "./measure.ts";
import { LastKnown, type LagOf } from "./last-known.ts";
import { resetConsumer, type Reset, type ResetReport } from "./reset.ts";
import { sharesOf } from "../sharing/shared-work.ts";
import type { Shares } from "../sharing/shares.ts";
import { SourceReader } from "./source-reader.ts";
import { consumerState, statusOf, type ConsumerStatus, type SharedPartition } from "./status.ts";

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

/** Leaves a service's partitions to the other nodes as soon as its broker begins to stop, before calls at hand are waited for. */
export function stopsConsumersFirst(service: Service): void {
  stopsFirst(service, async () => {
    // Consumers that could not be opened are an error of `stopped` as well, which is logged.
    void consumersOf(service)
      .then(consumers => consumers.stop())
      .catch(() => {});
  });
}

interface StatusOptions {
  readonly partitions?: "all" | "own";
}

interface Running {
  readonly consumer: Consumer;
  readonly readers: Map<string, SourceReader>;
  /** The partitions that are this node's. */
  partitions: ReadonlySet<number>;
  /** Takes it out of what the process depends on. */
  readonly forget: () => void;
}

/** Something else than a consumer of logs that shares partitions like one, and is told of among them: an ingress. */
export interface Sharer {
  readonly name: string;
  /** From now on works on these. Resolves when it works on no other one any more. Absent: it has nothing to work on. */
  readonly serve?: (partitions: ReadonlySet<number>) => Promise<void>;
  stop(): Promise<void>;
  status(): Promise<ConsumerStatus>;
}

export class Consumers {
  readonly database: Database;
  readonly #service: Service;
  readonly #context: ConsumerContext;
  readonly #carrier: Carrier;
  readonly #running = new Map<string, Running>();
  readonly #sharers = new Map<string, Sharer>();
  readonly #lastKnown = new LastKnown(STREAM_LIMITS.statusReadMs);
  /** The account of each source of its log, the last one of a source that is away. */
  readonly #owned = new Map<string, Owned>();
  readonly #looking: NodeJS.Timeout;
  readonly #endMeasuring: () => void;
  readonly #look = (): void => this.#readAll();
  readonly #shares: Shares;
  #stopped: Promise<void> | undefined;

  private constructor(service: Service, database: Database, shares: Shares) {
    this.database = database;
    this.#shares = shares;
    this.#service = service;
    this.#carrier = carrierOf(service.broker);
    const readStream = streamReader(service.broker);
    const { RELEASE } = streamEnvironment.of(service.broker);
    this.#context = {
      database,
      carrier: this.#carrier,
      shares,
      logger: service.logger,
      limits: STREAM_LIMITS,
      readStream: async (source, ...stream) => this.#ownOf(source, await readStream(source, ...stream)),
      ownOf: (source, events) => this.#ownOf(source, events),
      release: RELEASE,
      isStopping: () => isStopping(service.broker),
      readLog: (source, params) => this.#readLog(source, params),
      tellStopped: (consumer, source) =>
        void service.broker
          .broadcast(STOPPED, { service: service.fullName, consumer, source } satisfies ConsumerStopped)
          .catch(() => {}),
    };
    service.broker.localBus.on("$services.changed", this.#look);
    this.#looking = setInterval(this.#look, STREAM_LIMITS.lookMs).unref();
    this.#endMeasuring = measureConsumers(service, {
      statuses: () => this.all({ partitions: "own" }),
      held: name => this.#running.get(name)?.partitions.size,
    });
  }

  static async open(service: Service): Promise<Consumers> {
    return new Consumers(service, await streamTables(service), await sharesOf(service));
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
    const running: Running = { consumer, readers: new Map(), partitions: new Set(), forget };
    this.#running.set(consumer.name, running);
    this.#look();
    const serve = async (partitions: ReadonlySet<number>): Promise<void> => {
      running.partitions = partitions;
      await Promise.all([...running.readers.values()].map(reader => reader.serve(partitions)));
      await consumer.shared?.(partitions);
    };
    // The readers' own gates hold nobody back who works on what was read before.
    const gate = consumer.shared && `layout/${consumer.name}`;
    this.#shares.add(consumer.name, { ...STREAM_LIMITS, ...consumer.limits }, serve, gate);
  }

  /** It is told of, and takes part in the shares, from now on until the service stops. Throws Error for a name that a consumer has. */
  join(sharer: Sharer): void {
    const { name, serve } = sharer;
    if (this.#running.has(name) || this.#sharers.has(name))
      throw new Error(`${this.#service.fullName}: two consumers named "${name}"`);
    this.#sharers.set(name, sharer);
    if (serve) this.#shares.add(name, STREAM_LIMITS, serve);
  }

  /** Number of partitions that nodes share. */
  get shareCount(): number {
    return this.#shares.count;
  }

  /** Stops a consumer and leaves it to other nodes; its checkpoints stay. */
  async remove(name: string): Promise<void> {
    const readers = this.#readersOf(name);
    this.#running.get(name)?.forget();
    this.#running.delete(name);
    this.#lastKnown.forget(name);
    // They are told to stop before their partitions are taken away: from then on no event is charged with a failure.
    const stopped = readers.map(reader => reader.stop());
    await Promise.all([this.#shares.remove(name), ...stopped]);
  }

  /** There may be something new in a source's log. */
  wake(source: string): void {
    this.#carrier.wake(source);
  }

  /** Resolves when all batches at hand are over and the partitions are left to other nodes, also when it is called again. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    clearInterval(this.#looking);
    this.#endMeasuring();
    this.#service.broker.localBus.off("$services.changed", this.#look);
    await Promise.all([
      ...[...this.#running.keys()].map(name => this.remove(name)),
      ...[...this.#sharers.values()].map(sharer => Promise.all([sharer.stop(), this.#shares.remove(sharer.name)])),
    ]);
  }

  /** Where a consumer stands, whichever nodes run it; with `partitions` also how nodes share it, or this one's part. */
  status(name: string, { partitions }: StatusOptions = {}): Promise<ConsumerStatus> {
    const lagIn: LagOf = (source, cursor) =>
      this.#readLog(source, { cursor, limit: 0 }).then(
        ({ behind }) => behind ?? null,
        () => null,
      );
    return this.#lastKnown.statusOf(name, lagIn, async lagOf =>
      statusOf(this.database, name, {
        readers: this.#readersOf(name),
        count: this.#shares.count,
        limits: { ...STREAM_LIMITS, ...this.#running.get(name)?.consumer.limits },
        lagOf,
        ...(partitions && { shared: await this.#shared(name, partitions) }),
      }),
    );
  }

  /** Where all of them stand. */
  all(options: StatusOptions = {}): Promise<ConsumerStatus[]> {
    return Promise.all([
      ...[...this.#running.keys()].map(name => this.status(name, options)),
      ...[...this.#sharers.values()].map(sharer => sharer.status()),
    ]);
  }

  async #shared(name: string, which: "all" | "own"): Promise<SharedPartition[]> {
    const { nodeID: owner } = this.#service.broker;
    const own = this.#running.get(name)?.partitions ?? [];
    if (which === "own") return [...own].map(partition => ({ partition, owner }));
    return (await this.#shares.owners(name)).map((owner, partition) => ({ partition, owner }));
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
    const reading = consumers.filter(consumer => this.#sourcesOf(consumer).has(query.source));
    const names = reading.map(({ name }) => name);
    return acknowledgedBy(this.database, names, ownedBy(broker, query.source)?.actor, query);
  }

  #readersOf(name: string): SourceReader[] {
    return [...(this.#running.get(name)?.readers.values() ?? [])];
  }

  /** The sources of a consumer that are known now. */
  #sourcesOf({ types, journals = false }: Consumer): Set<string> {
    const { broker } = this.#service;
    return new Set([...ownersOf(broker, types), ...(journals ? journalSources(broker) : [])]);
  }

  /** Starts the readers that are missing. */
  #readAll(): void {
    for (const { consumer, readers, partitions } of this.#running.values())
      for (const source of this.#sourcesOf(consumer)) {
        const owned = ownedBy(this.#service.broker, source);
        if (owned) this.#owned.set(source, owned);
        // An owner that is away for a while keeps its reader, which waits and asks again.
        if (!readers.has(source)) readers.set(source, new SourceReader(this.#context, consumer, source, partitions));
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
