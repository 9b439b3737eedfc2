// The consumers of one service: finds the owners of what they subscribe to, follows each, answers for their state.
import type { Knex } from "knex";
import type { Service } from "moleculer";
import { environmentOf, isStopping, METRICS } from "../kernel/index.ts";
import type { Database } from "../database/index.ts";
import type { Carrier } from "./carriers/carrier.ts";
import { carrierOf } from "./carriers/resolve.ts";
import { Follower, type Consumer, type House } from "./follower.ts";
import { stoppedOf } from "./identity.ts";
import { STREAM_LIMITS } from "./limits.ts";
import { actorOf, ownersOf } from "./owners.ts";
import { unparkGroup, type ParkedFilter } from "./parked.ts";
import { eventIn } from "./place.ts";
import { streamReader } from "./read-stream.ts";
import { resetConsumer, type Reset, type ResetReport } from "./reset.ts";
import { STOPPED, type ConsumerStopped, type LogPage, type ReadLog } from "./source.ts";
import { streamTables } from "./tables.ts";
import type { Taken } from "./taken.ts";
import { inChunks } from "./chunks.ts";
import { streamErrors } from "./errors.ts";

export interface ConsumerStatus {
  readonly name: string;
  /**
   * `waiting`: for an owner or the lease, which another node may hold; `stopped`: at a poison event, or because its place
   * is not in the log, which `stopped` says; `full`: of some source as many streams are set aside as may be, and until some
   * are back it reads no further.
   */
  readonly state: Follower["state"] | "full";
  /** Logs in which its place is not: it stands still there until an operator says how it goes on. */
  readonly stopped?: readonly { readonly source: string; readonly reason: string; readonly since: string }[];
  /** Events of its sources that lie after its checkpoints, of all types; null when a source cannot be asked. */
  readonly lagEvents: number | null;
  /** Milliseconds since the newest event that it has taken was recorded; 0 when nothing lies ahead. */
  readonly lagMs: number;
  readonly events: number;
  /** Streams that wait for a person, and streams that are tried again by themselves. */
  readonly parkedStreams: number;
  readonly retryingStreams: number;
  readonly sources: readonly string[];
}
export interface DeadLetter {
  readonly id: string;
  readonly consumer: string;
  readonly stream: string;
  readonly version: number;
  readonly type: string;
  /** What the first event of the stream failed with: those behind it only wait. */
  readonly error: { readonly type: string; readonly message: string };
  readonly attempts: number;
  readonly at: string;
  readonly event: unknown;
}

const MEASURED = [
  METRICS.consumerLagEvents,
  METRICS.consumerLagSeconds,
  METRICS.deadLetters,
  METRICS.consumerFull,
  METRICS.consumerStopped,
] as const;

/** Deletes the place of a consumer that will not come back, in the transaction that removes its rows. */
export async function forgetConsumer(trx: Knex.Transaction, name: string): Promise<void> {
  for (const table of ["checkpoints", "consumer_versions", "parked_streams", "dead_letters"])
    await trx(table).where({ consumer: name }).delete();
}

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

export class Consumers {
  readonly database: Database;
  readonly #service: Service;
  readonly #house: House;
  readonly #carrier: Carrier;
  readonly #running = new Map<string, { consumer: Consumer; followers: Map<string, Follower> }>();
  readonly #looking: NodeJS.Timeout;
  readonly #measuring: NodeJS.Timeout | undefined;
  readonly #look = (): void => this.#followAll();

  private constructor(service: Service, database: Database) {
    this.database = database;
    this.#service = service;
    this.#carrier = carrierOf(service.broker);
    this.#house = {
      database,
      carrier: this.#carrier,
      logger: service.logger,
      limits: STREAM_LIMITS,
      readStream: streamReader(service.broker),
      release: environmentOf(service.broker).release,
      isStopping: () => isStopping(service.broker),
      readLog: (source, params) => this.#readLog(source, params),
      tellStopped: (consumer, source) =>
        void service.broker
          .broadcast(STOPPED, { service: service.fullName, consumer, source } satisfies ConsumerStopped)
          .catch(() => {}),
    };
    service.broker.localBus.on("$services.changed", this.#look);
    this.#looking = setInterval(this.#look, STREAM_LIMITS.lookMs).unref();
    if (service.broker.isMetricsEnabled())
      this.#measuring = setInterval(() => void this.#measure(), STREAM_LIMITS.metricsMs).unref();
  }

  static async open(service: Service): Promise<Consumers> {
    return new Consumers(service, await streamTables(service));
  }

  /** Starts a consumer. It follows its sources as they appear, until it is removed or the service stops. */
  add(consumer: Consumer): void {
    if (this.#running.has(consumer.name))
      throw new Error(`${this.#service.fullName}: two consumers named "${consumer.name}"`);
    this.#running.set(consumer.name, { consumer, followers: new Map() });
    this.#look();
  }

  /** Stops a consumer; its place stays. */
  async remove(name: string): Promise<void> {
    const { followers } = this.#running.get(name) ?? {};
    this.#running.delete(name);
    await Promise.all([...(followers?.values() ?? [])].map(follower => follower.stop()));
  }

  wake(source: string): void {
    this.#carrier.wake(source);
  }

  async stop(): Promise<void> {
    clearInterval(this.#looking);
    clearInterval(this.#measuring);
    this.#service.broker.localBus.off("$services.changed", this.#look);
    await Promise.all([...this.#running.keys()].map(name => this.remove(name)));
  }

  /** Where a consumer stands, whichever node runs it. */
  async status(name: string): Promise<ConsumerStatus> {
    const { knex } = this.database;
    const running = this.#running.get(name);
    // Before the rows: a follower writes why it has stopped before it says so.
    const states = [...(running?.followers.values() ?? [])].map(follower => follower.state);
    const rows = await knex("checkpoints").where({ consumer: name });
    const aside: { source: string; partition: string; state: string; streams: number | string }[] = await knex(
      "parked_streams",
    )
      .where({ consumer: name })
      .groupBy("source", "partition", "state")
      .select("source", "partition", "state", knex.raw("count(*) as streams"));
    const count = (rows: typeof aside): number => rows.reduce((sum, { streams }) => sum + Number(streams), 0);
    const { asideStreams } = { ...STREAM_LIMITS, ...running?.consumer.limits };
    const isFull = [...Map.groupBy(aside, ({ source, partition }) => `${source}/${partition}`).values()].some(
      rows => count(rows) >= asideStreams,
    );
    const stopped = rows.flatMap(row => {
      const { reason, at } = stoppedOf(row) ?? {};
      return reason === undefined ? [] : [{ source: row.source as string, reason, since: at! }];
    });
    // Of a place that is not in the log nobody knows how much lies after it.
    const behind = await Promise.all(
      rows.map(async row => (stoppedOf(row) ? null : this.#behind(row.source, row.cursor))),
    );
    const lagEvents = behind.includes(null) ? null : behind.reduce<number>((sum, n) => sum + n!, 0);
    const now = await this.database.now();
    const newest = rows.filter((row, i) => behind[i] !== 0 && row.event_at).map(row => now - Date.parse(row.event_at));
    return {
      name,
      state:
        stopped.length > 0
          ? "stopped"
          : isFull
            ? "full"
            : ((["stopped", "following"] as const).find(state => states.includes(state)) ?? "waiting"),
      ...(stopped.length > 0 && { stopped }),
      lagEvents,
      lagMs: Math.max(0, ...newest),
      events: rows.reduce((sum, row) => sum + Number(row.events), 0),
      parkedStreams: count(aside.filter(({ state }) => state === "parked")),
      retryingStreams: count(aside.filter(({ state }) => state === "retrying")),
      sources: rows.map(row => row.source),
    };
  }

  /**
   * Whether an owner of these types has this version of an actor's stream: none of those that answer, and all answer =
   * false; not known, because one cannot be asked or none is there = null.
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

  all(): Promise<ConsumerStatus[]> {
    return Promise.all([...this.#running.keys()].map(name => this.status(name)));
  }

  /**
   * Sends a consumer on that has stopped because its place is not in a log (reset.ts). A repetition is refused.
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
      for (const follower of this.#running.get(name)?.followers.values() ?? []) follower.lookNow();
    }
    return report;
  }

  /** Those of the streams that every consumer of this source here has taken up to their version, with nothing aside. */
  async taken({ source, streams }: Taken): Promise<string[]> {
    const { knex } = this.database;
    const names = [...this.#running.entries()]
      .filter(([, { consumer }]) => ownersOf(this.#service.broker, consumer.types).has(source))
      .map(([name]) => name);
    // What a consumer has taken of another log says nothing of this one.
    const stopped = await knex("checkpoints")
      .where({ source })
      .whereIn("consumer", names)
      .whereNotNull("stopped")
      .first();
    if (stopped) return [];
    let left = new Map(streams.map(stream => [`${actorOf(this.#service.broker, source)}.${stream.id}`, stream]));
    for (const name of names)
      for (const keys of inChunks([...left.keys()])) {
        const rows = await knex("consumer_versions").where({ consumer: name }).whereIn("actor_stream", keys);
        const versions = new Map(rows.map(row => [row.actor_stream as string, Number(row.version)]));
        const aside = await knex("parked_streams").where({ consumer: name }).whereIn("actor_stream", keys);
        for (const row of aside) versions.delete(row.actor_stream);
        left = new Map([...left].filter(([key, { version }]) => !keys.includes(key) || versions.get(key)! >= version));
      }
    return [...left.values()].map(({ id }) => id);
  }

  /** Events of parked streams, oldest first. */
  async deadLetters(limit: number, after: number): Promise<DeadLetter[]> {
    const rows = await this.database
      .knex("dead_letters as d")
      .join("parked_streams as p", join => {
        join.on("p.consumer", "d.consumer").andOn("p.actor_stream", "d.actor_stream");
      })
      .where("p.state", "parked")
      .where("d.id", ">", after)
      .orderBy("d.id")
      .limit(limit)
      .select("d.id", "d.consumer", "d.actor_stream", "d.version", "d.event", "d.at", "p.error", "p.attempts");
    return rows.map(row => {
      const { id, consumer, actor_stream: stream, version, at, error, attempts } = row;
      const event = eventIn(row);
      return { id: `${id}`, consumer, stream, version, type: event.type, error: errorIn(error), attempts, at, event };
    });
  }

  /** Sends the stream of a dead letter back to work, in order, from its first letter on. */
  async retry(id: string): Promise<void> {
    const { knex } = this.database;
    const letter = await knex("dead_letters")
      .where({ id: Number(id) })
      .first();
    if (!letter) throw streamErrors.DEAD_LETTER_NOT_FOUND({ field: "id", id });
    await knex("parked_streams")
      .where({ consumer: letter.consumer, actor_stream: letter.actor_stream })
      .update({ state: "retrying", attempts: 0, charged: 0, next_at: 0 });
  }

  /** Sends all parked streams of a group back to work, each in order, at a bounded rate. Answers how many, by consumer. */
  async retryGroup(filter: ParkedFilter): Promise<{ consumer: string; streams: number }[]> {
    return [...(await unparkGroup(this.database, filter))].map(([consumer, streams]) => ({ consumer, streams }));
  }

  // ---- finding and following

  #followAll(): void {
    for (const { consumer, followers } of this.#running.values())
      for (const source of ownersOf(this.#service.broker, consumer.types))
        for (const partition of this.#carrier.partitions(source)) {
          const key = `${source}/${partition}`;
          // An owner that is away for a while keeps its follower: that one waits and asks again.
          if (!followers.has(key)) followers.set(key, new Follower(this.#house, consumer, source, partition));
        }
  }

  async #behind(source: string, cursor: string): Promise<number | null> {
    try {
      return (await this.#readLog(source, { cursor, limit: 0 })).behind ?? null;
    } catch {
      return null;
    }
  }

  #readLog(source: string, params: ReadLog): Promise<LogPage> {
    return this.#service.broker.call(`${source}.readLog`, params);
  }

  async #measure(): Promise<void> {
    const { metrics } = this.#service.broker;
    if (!metrics) return;
    const gauge = (name: string): void => {
      if (!metrics.getMetric(name)) metrics.register({ type: "gauge", name, labelNames: ["service", "consumer"] });
    };
    try {
      for (const { name, state, lagEvents, lagMs, parkedStreams, stopped } of await this.all()) {
        const labels = { service: this.#service.fullName, consumer: name };
        for (const metric of MEASURED) gauge(metric);
        if (lagEvents !== null) metrics.set(METRICS.consumerLagEvents, lagEvents, labels);
        metrics.set(METRICS.consumerLagSeconds, lagMs / 1_000, labels);
        metrics.set(METRICS.deadLetters, parkedStreams, labels);
        metrics.set(METRICS.consumerFull, state === "full" ? 1 : 0, labels);
        metrics.set(METRICS.consumerStopped, stopped?.length ?? 0, labels);
      }
    } catch (error) {
      this.#service.logger.debug("the lag of consumers could not be measured", error);
    }
  }
}

/** Why a stream was set aside, as its row says. */
function errorIn(text: string): DeadLetter["error"] {
  try {
    return JSON.parse(text) as DeadLetter["error"];
  } catch {
    return { type: "ERROR", message: "why it failed cannot be read" };
  }
}
