// The relay of one owner: reads its log in order and publishes it to the carrier's server, JetStream or Kafka. The log is the
// truth and the outbox; the relay's cursor lies in the owner's own database and moves by conditional update after the server
// has stored the events.
//
//   1. one node publishes, by lease. A second one, as after a pause, does no harm: JetStream drops an id that it has
//      seen lately, readers tell by a message's cursors which events they have had, and the relay's cursor moves once.
//   2. a crash between publish and move publishes some pages again.
//   3. a stream that is gone (deleted, another server) is made anew, by the relay or by `valence migrate`, and publishing goes on. Readers find the events that
//      it held in the log: they see that a message does not follow the last one they had.
//
// History is not published: reading it from the log is faster. A relay that finds itself far behind (a log that is older
// than it, a server that was away for long) goes on at the log's end; so does one whose cursor is not in the log, which
// was put back from a copy. Readers tell that by the marks, and ask the owner.
import type { Service } from "moleculer";
import {
  clusterKeysIn,
  dependsOn,
  fingerprintOf,
  newId,
  nodeEnvironment,
  Pause,
  plainError,
  secretOfRole,
  type DependencyState,
} from "../../kernel/index.ts";
import type { Database } from "../../database/index.ts";
import { digestOfMark, type Carried } from "../carriers/message.ts";
import { singletonOf, type Singleton } from "../sharing/singleton.ts";
import { publishTracing } from "../event-spans.ts";
import { metersOf, reading, type Reading, type Series } from "../../metrics/index.ts";
import { streamErrors } from "../errors.ts";
import { STREAM_LIMITS } from "../limits.ts";
import { streamMetrics } from "../metrics.ts";
import type { CursorFault } from "../log/identity.ts";
import { Poll } from "../log/poll.ts";
import type { Cursor, LogEvent, LogPage } from "../log/source.ts";
import { streamTables } from "../tables.ts";
import type { OwnLog, RelayStatus } from "./publisher.ts";

export const RELAY_LIMITS = {
  /** Events read, published and acknowledged at once. */
  batch: 500,
  /** Events behind the log's end, above which it goes on at the end. */
  history: 10_000,
  /**
   * Milliseconds after a failure until it tries again. A deleted stream must not be made anew at once: the server (seen
   * with 2.9) is still removing files and removes those of the new stream too, which then can neither be written nor read.
   */
  retryMs: 1_000,
  /** Milliseconds between two pages of a log that is being written: many commits, one page. */
  gatherMs: 10,
  /** Milliseconds between two moves of the stored cursor: on SQLite each waits for, and holds up, the commits of actors. */
  moveMs: 500,
  /** Milliseconds after its last renewal until a relay counts as dead; milliseconds between two looks for the lease. */
  leaseMs: STREAM_LIMITS.leaseMs,
  lookMs: STREAM_LIMITS.lookMs,
  /** Milliseconds that the server may take to store a page, until operators are told. */
  slowMs: 5_000,
  /** Milliseconds for which a measurement of its lag is kept. */
  metricsKeptMs: STREAM_LIMITS.metricsKeptMs,
};
export type RelayLimits = typeof RELAY_LIMITS;

/** The carrier's server, as a relay publishes to it: one stream of JetStream, or one topic. */
export interface Outlet {
  readonly isConnected: boolean;
  /** Calls back when the server comes or goes. Returns its undo. */
  onChange(listener: () => void): () => void;
  /**
   * Makes the stream or topic, or gives the one that is there today's settings. Several callers at once do no harm. Where only
   * `valence migrate` may do that, it answers whether it has today's settings.
   * @throws STREAM_MISSING when there is none, and this node may not make it
   */
  ensure(): Promise<boolean>;
  /**
   * Publishes the messages of a page, those of one actor in order, sealed with a secret where nodes have keys. Resolves when the
   * server has stored all of them; rejects after some seconds, or at the first that it does not store. Some may be stored then.
   */
  publish(messages: readonly Sent[], seal: string | undefined): Promise<void>;
}
/** A message with its event, which the outlet leaves out where it is too large. */
export type Sent = Carried & { readonly event: LogEvent };

/** How far the log has been published. */
interface Reached {
  readonly cursor: Cursor;
  readonly mark: string | undefined;
}

export class Relay {
  /** The origin that its messages name: the database and the shape of the events. */
  readonly origin: string;
  /** Secret that seals its messages, the same on all nodes of this role; undefined where nodes have no keys. */
  readonly seal: string | undefined;
  readonly #service: Service;
  readonly #database: Database;
  readonly #log: OwnLog;
  readonly #outlet: Outlet;
  readonly #limits: RelayLimits;
  readonly #lease: Singleton;
  readonly #poll = new Poll();
  readonly #traced: ReturnType<typeof publishTracing>;
  readonly #sent: Series | undefined;
  readonly #failed: Series | undefined;
  readonly #pause = new Pause();
  #isStopping = false;
  readonly #ends: (() => void)[];
  readonly #done: Promise<void>;
  #failures = 0;
  /** The error of the last attempt; undefined after one that succeeded. */
  #problem: unknown;
  /** Since when the server has a page that it has not stored yet; monotonic. */
  #sendingSince: number | undefined;
  /** The cursor up to which this node has published, while it holds the lease. */
  #published: Cursor | undefined;
  /** Monotonic milliseconds at which it last had published all. */
  #caughtUpAt = performance.now();

  private constructor(
    service: Service,
    database: Database,
    lease: Singleton,
    log: OwnLog,
    origin: string,
    outlet: Outlet,
    limits: RelayLimits,
  ) {
    this.origin = origin;
    const keys = clusterKeysIn(service.broker);
    const { NAMESPACE } = nodeEnvironment.of(service.broker);
    this.seal = keys && secretOfRole(keys, `relay ${NAMESPACE}/${service.fullName}`);
    this.#service = service;
    this.#database = database;
    this.#log = log;
    this.#outlet = outlet;
    this.#limits = limits;
    this.#traced = publishTracing(service.fullName);
    this.#lease = lease;
    const meters = metersOf(service.broker);
    const labels = { service: service.fullName };
    this.#sent = meters?.counter(streamMetrics.relayPublished, labels);
    this.#failed = meters?.counter(streamMetrics.relayFailures, labels);
    this.#ends = [
      log.onCommit(() => this.wake()),
      outlet.onChange(() => this.wake()),
      meters?.read("relay", () => this.#lag(), { keptMs: limits.metricsKeptMs }) ?? (() => {}),
      dependsOn(service.broker, { kind: "relay", name: service.fullName, ask: async () => this.#state() }),
    ];
    this.#done = this.#run();
  }

  static async start(service: Service, log: OwnLog, outlet: Outlet, own: Partial<RelayLimits> = {}): Promise<Relay> {
    const limits = { ...RELAY_LIMITS, ...own };
    const lease = await singletonOf(service, "relay", limits);
    // These tables may lose their last commits: a cursor that was set back publishes events twice, which readers drop.
    const database = await streamTables(service);
    const first = { source: service.fullName, log: newId(), cursor: "" };
    await database.knex("relays").insert(first).onConflict("source").ignore();
    const row = await database.knex("relays").where({ source: service.fullName }).first();
    const origin = `${row.log}/${fingerprintOf("events", service.metadata["events"])}`;
    return new Relay(service, database, lease, log, origin, outlet, limits);
  }

  /** There may be something new in the log. */
  wake(): void {
    this.#poll.wake();
  }

  async status(): Promise<RelayStatus> {
    const row = await this.#database.knex("relays").where({ source: this.#service.fullName }).first();
    const { behind: lagEvents } = await this.#log.head(row.cursor);
    const [next] = lagEvents === 0 ? [] : (await this.#log.read(row.cursor, 1)).events;
    const lagMs = next ? Math.max(0, (await this.#database.now()) - Date.parse(next.at)) : 0;
    return { lagEvents, lagMs, isConnected: this.#outlet.isConnected };
  }

  /** How it stands on this node, for operators. */
  #state(): DependencyState {
    if (this.#problem !== undefined)
      return { status: "FAIL", message: plainError(this.#problem).message, advice: adviceOn(this.#problem) };
    const sendingMs = performance.now() - (this.#sendingSince ?? Infinity);
    if (sendingMs > this.#limits.slowMs)
      return {
        status: "FAIL",
        message: `the carrier's server has not stored a page of events for ${Math.round(sendingMs / 1_000)} s`,
        advice: "do all its servers run? Consumers read the log meanwhile",
      };
    const message = this.#published === undefined ? "another node publishes, or none yet" : "this node publishes";
    return { status: "ok", message };
  }

  /** Finishes the page at hand and frees the lease. */
  stop(): Promise<void> {
    this.#isStopping = true;
    this.#pause.end();
    for (const end of this.#ends) end();
    this.#poll.close();
    return this.#done;
  }

  async #run(): Promise<void> {
    const { logger, fullName } = this.#service;
    while (!this.#isStopping)
      try {
        this.#poll.begin();
        if (!this.#outlet.isConnected) await this.#poll.pause();
        else if (await this.#lease.holds()) await this.#publish().finally(() => (this.#published = undefined));
        else {
          this.#problem = undefined;
          await this.#wait(this.#limits.lookMs);
        }
      } catch (error) {
        if (this.#isStopping) break;
        this.#problem = error;
        // Only the first of a row is a warning: readers go on with the log meanwhile.
        logger[this.#failures === 0 ? "warn" : "debug"](
          `relay of ${fullName}: ${plainError(error).message} → ${adviceOn(error)}`,
          error,
        );
        this.#failures++;
        this.#failed?.add();
        await this.#wait(this.#limits.retryMs);
      }
    await this.#lease.release().catch(error => logger.debug("a lease was not released", error));
  }

  async #publish(): Promise<void> {
    if (!(await this.#outlet.ensure()))
      this.#service.logger.warn(
        `relay of ${this.#service.fullName}: its stream or topic has other bounds than this release gives it: run \`npx valence migrate\``,
      );
    let { cursor, mark } = await this.#start();
    this.#published = cursor;
    let stored = { cursor, at: performance.now() };
    const store = async (): Promise<boolean> => {
      const isOurs = cursor === stored.cursor || (await this.#move(stored.cursor, { cursor, mark }));
      stored = { cursor, at: performance.now() };
      return isOurs;
    };
    while (!this.#isStopping && this.#outlet.isConnected && (await this.#lease.holds())) {
      if (performance.now() - stored.at >= this.#limits.moveMs && !(await store())) return;
      this.#poll.begin();
      const page = await this.#log.read(cursor, this.#limits.batch, mark);
      if (page.fault) return this.#goToEnd(stored.cursor, page.fault);
      if (page.events.length > 0) {
        await this.#send(cursor, mark, page);
        this.#poll.found();
        this.#failures = 0;
        this.#sent?.add(page.events.length);
      }
      this.#problem = undefined;
      cursor = this.#published = page.cursor;
      mark = page.mark;
      if (page.events.length < this.#limits.batch) this.#caughtUpAt = performance.now();
      if (page.events.length < this.#limits.batch) {
        if (page.events.length > 0) await this.#wait(this.#limits.gatherMs);
        await this.#poll.pause();
      }
    }
    await store();
  }

  /** Events that are not published, and for how long: of the one node that publishes, or by the row where none does. */
  async #lag(): Promise<Reading[]> {
    const labels = { service: this.#service.fullName };
    const published = this.#published;
    const row = published === undefined ? await this.#row() : undefined;
    const { behind } = await this.#log.head(published ?? row.cursor);
    const lag = reading(streamMetrics.relayLagEvents, behind, labels);
    if (published === undefined) return [lag];
    if (behind === 0) this.#caughtUpAt = performance.now();
    return [lag, reading(streamMetrics.relayLagSeconds, (performance.now() - this.#caughtUpAt) / 1_000, labels)];
  }

  /** Publishes a page and waits until the server has stored all of it. */
  async #send(after: Cursor, markAfter: string | undefined, { events, cursor: upTo, mark }: LogPage): Promise<void> {
    const follows = digestOfMark(markAfter);
    const messages = events.map((event, i) => ({
      origin: this.origin,
      after,
      upTo,
      index: i + 1,
      count: events.length,
      ...(follows !== undefined && { follows }),
      ...(mark !== undefined && i + 1 === events.length && { mark }),
      event,
    }));
    const publish = (): Promise<void> => this.#outlet.publish(messages, this.seal);
    this.#sendingSince = performance.now();
    await (this.#traced ? this.#traced(events, publish) : publish()).finally(() => (this.#sendingSince = undefined));
  }

  async #start(): Promise<Reached> {
    const row = await this.#row();
    const head = await this.#log.head(row.cursor);
    const end = { cursor: head.cursor, mark: undefined };
    if (head.behind > this.#limits.history && (await this.#move(row.cursor, end))) return end;
    // A relay of an older release moves the cursor and leaves the mark, which is then one of another cursor.
    const isOfCursor = row.mark?.startsWith(`${row.cursor} `);
    return { cursor: row.cursor, mark: isOfCursor ? row.mark.slice(row.cursor.length + 1) : undefined };
  }

  #row(): Promise<any> {
    return this.#database.knex("relays").where({ source: this.#service.fullName }).first();
  }

  /** The log is not the one that was published: goes on at its end. */
  async #goToEnd(from: Cursor, { reason, head }: CursorFault): Promise<void> {
    this.#service.logger.warn(
      `relay of ${this.#service.fullName}: its place is not in the log (${reason}); it goes on at the log's end, and consumers read the events before from the log`,
    );
    await this.#move(from, { cursor: head, mark: undefined });
  }

  /** Moves the stored cursor. Answers whether no other relay has moved it before. */
  async #move(from: Cursor, { cursor, mark }: Reached): Promise<boolean> {
    const own = { source: this.#service.fullName, cursor: from };
    return (
      (await this.#database
        .knex("relays")
        .where(own)
        .update({ cursor, mark: mark === undefined ? null : `${cursor} ${mark}` })) > 0
    );
  }

  async #wait(ms: number): Promise<void> {
    if (!this.#isStopping) await this.#pause.wait(ms);
  }
}

/** What an operator does about a failed attempt. */
function adviceOn(error: unknown): string {
  const { type = "", data } = error as { type?: string; data?: { advice?: unknown } };
  if (typeof data?.advice === "string") return data.advice;
  const known = Object.values(streamErrors).find(({ code }) => code === type);
  return known?.definition.todo ?? "look at the carrier's server: it is tried again each second";
}
