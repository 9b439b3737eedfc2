// The relay of one owner: reads its log in order and publishes it to the carrier's server, JetStream or Kafka. The log is the
// truth and the outbox; how far it has been published lies in the owner's own database (published.ts).
//
//   1. the nodes of the service share the publishing by partitions, by lease (relay-share.ts). Each reads the whole log, and
//      decodes and publishes the events of its partitions; one that has all of them publishes pages as it reads them. Readers
//      put the pages of all nodes into the log's order (carriers/pages.ts).
//   2. a node that was paused and overtaken publishes some events again and does no harm: JetStream drops an id that it has
//      seen lately, readers tell by a message's cursors which events they have had, and its move of the stored places fails.
//   3. a crash between publish and move publishes some pages again, by the node that has the partitions next. Until then readers
//      see that pages are missing between those of the other nodes, and read the log.
//   4. a stream that is gone (deleted, another server) is made anew, by the relay or by `valence migrate`, and publishing goes on. Readers find the events that
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
import { partitionOf } from "../sharing/partitions.ts";
import { publishTracing } from "../event-spans.ts";
import { metersOf, reading, type Reading, type Series } from "../../metrics/index.ts";
import { streamErrors } from "../errors.ts";
import { failpoint } from "../failpoints.ts";
import { STREAM_LIMITS } from "../limits.ts";
import { streamMetrics } from "../metrics.ts";
import type { CursorFault } from "../log/identity.ts";
import { Poll } from "../log/poll.ts";
import type { LogEntry } from "../log/part.ts";
import { leastPlace, type Place } from "../log/places.ts";
import { isAtOrPast, type Cursor, type LogEvent, type LogPage } from "../log/source.ts";
import { streamTables } from "../tables.ts";
import { PartPages } from "./part-pages.ts";
import { Published, type Found } from "./published.ts";
import type { OwnLog, RelayStatus } from "./publisher.ts";
import { RelayShare } from "./relay-share.ts";

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

/** What a node publishes from a place of the log on. */
interface Pass {
  readonly partitions: ReadonlySet<number>;
  /** How far it has come. */
  place: Place;
  /** Partitions that have been published further than that. */
  readonly ahead: Map<number, Cursor>;
  /** Makes the pages while it has only a part to publish. */
  readonly pages: PartPages;
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
  readonly #published: Published;
  readonly #share: RelayShare;
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
  /** The pass at hand; it never rejects. */
  #following: Promise<void> = Promise.resolve();
  /** The same, while this node publishes. */
  #pass: Pass | undefined;
  /** Monotonic milliseconds at which it last had published all. */
  #caughtUpAt = performance.now();

  private constructor(
    service: Service,
    database: Database,
    log: OwnLog,
    origin: string,
    outlet: Outlet,
    limits: RelayLimits,
    openShare: (relay: Relay) => RelayShare,
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
    this.#share = openShare(this);
    this.#published = new Published(database, service.fullName, this.#share.count);
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
    const openShare = await RelayShare.opener(service, limits, () => outlet.isConnected);
    // These tables may lose their last commits: a cursor that was set back publishes events twice, which readers drop.
    const database = await streamTables(service);
    const first = { source: service.fullName, log: newId(), cursor: "" };
    await database.knex("relays").insert(first).onConflict("source").ignore();
    const row = await database.knex("relays").where({ source: service.fullName }).first();
    const origin = `${row.log}/${fingerprintOf("events", service.metadata["events"])}`;
    return new Relay(service, database, log, origin, outlet, limits, relay => openShare(() => relay.#onShare()));
  }

  /** There may be something new in the log. */
  wake(): void {
    this.#poll.wake();
  }

  async status(): Promise<RelayStatus> {
    const { cursor } = leastPlace([...(await this.#published.places()).values()]);
    const { behind: lagEvents } = await this.#log.head(cursor);
    const [next] = lagEvents === 0 ? [] : (await this.#log.read(cursor, 1)).events;
    const lagMs = next ? Math.max(0, (await this.#database.now()) - Date.parse(next.at)) : 0;
    const partitions = await this.#partitions();
    return { lagEvents, lagMs, isConnected: this.#outlet.isConnected, ...(partitions && { partitions }) };
  }

  /** The partitions with their owners; undefined where one node publishes all. */
  async #partitions(): Promise<RelayStatus["partitions"]> {
    const owners = await this.#share.owners();
    if (!owners) return undefined;
    const behind = new Map<Cursor, Promise<number>>();
    const lagAt = (cursor: Cursor): Promise<number> => {
      const asked = behind.get(cursor) ?? this.#log.head(cursor).then(head => head.behind);
      behind.set(cursor, asked);
      return asked;
    };
    const places = await this.#published.places();
    return Promise.all(
      owners.map(async (owner, partition) => {
        const lagEvents = await lagAt(places.get(partition)!.cursor);
        return { partition, owner: owner ?? null, lagEvents };
      }),
    );
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
    const { count } = this.#share;
    const own = this.#pass?.partitions.size ?? 0;
    const part = own === count ? "" : ` ${own} of ${count} partitions`;
    return { status: "ok", message: own === 0 ? "other nodes publish, or none yet" : `this node publishes${part}` };
  }

  /** Finishes the page at hand and frees the lease. */
  stop(): Promise<void> {
    this.#isStopping = true;
    this.#pause.end();
    for (const end of this.#ends) end();
    this.#poll.close();
    return this.#done;
  }

  /** This node has other partitions from now on, or is to take another part. Resolves when it publishes no other one any more. */
  #onShare(): Promise<void> {
    this.wake();
    this.#pause.end();
    return this.#following;
  }

  async #run(): Promise<void> {
    const { logger, fullName } = this.#service;
    while (!this.#isStopping)
      try {
        this.#poll.begin();
        await this.#share.settle();
        const partitions = await this.#share.held();
        if (!this.#outlet.isConnected) await this.#poll.pause();
        else if (partitions.size > 0) {
          const publishing = this.#publish(partitions).finally(() => (this.#pass = undefined));
          this.#following = publishing.catch(() => {});
          await publishing;
        } else {
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
    await this.#share.end().catch(error => logger.debug("the share of a relay was not given back", error));
  }

  async #publish(partitions: ReadonlySet<number>): Promise<void> {
    if (!(await this.#outlet.ensure()))
      this.#service.logger.warn(
        `relay of ${this.#service.fullName}: its stream or topic has other bounds than this release gives it: run \`npx valence migrate\``,
      );
    const isShared = this.#share.isShared;
    const found = isShared ? await this.#published.found(partitions) : undefined;
    let whole = (await this.#published.whole()).cursor;
    const pass = await this.#start(partitions);
    this.#pass = pass;
    let storedAt = performance.now();
    /** Answers whether no other node has moved what is ours. */
    const store = async (): Promise<boolean> => {
      const { place } = pass;
      storedAt = performance.now();
      if (pass.ahead.size > 0) return true;
      if (found) {
        if (!(await this.#published.move(found, place))) return false;
        // The other partitions are moved by their nodes, also a while after ours.
        if (partitions.has(0) && whole !== place.cursor) whole = await this.#published.follow();
      } else if (place.cursor !== whole) {
        if (!(await this.#published.moveWhole(whole, place))) return false;
        whole = place.cursor;
      }
      return true;
    };
    while (!this.#isStopping && this.#outlet.isConnected && (await this.#share.held()) === partitions) {
      if (performance.now() - storedAt >= this.#limits.moveMs && !(await store())) return;
      this.#poll.begin();
      const next = await this.#next(pass);
      if (next.fault) return this.#goToEnd(found, next.fault);
      if (next.published > 0) {
        this.#failures = 0;
        this.#sent?.add(next.published);
      }
      this.#problem = undefined;
      if (next.events > 0) this.#poll.found();
      if (!next.isAtEnd) continue;
      this.#caughtUpAt = performance.now();
      if (next.events > 0) await this.#wait(this.#limits.gatherMs);
      await this.#poll.pause();
    }
    await store();
  }

  /** Publishes what comes next in the log. */
  async #next(pass: Pass): Promise<Step> {
    const { batch } = this.#limits;
    const { count } = this.#share;
    const { cursor, mark } = pass.place;
    if (pass.partitions.size === count && pass.ahead.size === 0) {
      const page = await this.#log.read(cursor, batch, mark);
      const { events, fault } = page;
      if (fault) return { fault, events: 0, published: 0, isAtEnd: false };
      if (events.length > 0) await this.#send(this.#pageOf(pass.place, page));
      pass.place = { cursor: page.cursor, mark: page.mark };
      return { events: events.length, published: events.length, isAtEnd: events.length < batch };
    }
    const partition = (stream: string): number => partitionOf(stream, count);
    const part = await this.#log.readPart(cursor, batch, mark, stream => pass.partitions.has(partition(stream)));
    const { entries, fault, isAtEnd } = part;
    if (fault) return { fault, events: 0, published: 0, isAtEnd: false };
    const isNew = (entry: LogEntry): boolean => {
      const reached = pass.ahead.get(partition(entry.stream));
      return reached === undefined || !isAtOrPast(reached, entry.cursor);
    };
    const messages = pass.pages.messagesOf(entries, isNew);
    if (messages.length > 0) await this.#send(messages);
    pass.place = { cursor: part.cursor, mark: part.mark };
    for (const [own, reached] of pass.ahead) if (isAtOrPast(part.cursor, reached)) pass.ahead.delete(own);
    return { events: entries.length, published: messages.length, isAtEnd };
  }

  /** Events that are not published, and for how long: of the nodes that publish, or by the rows where none does. */
  async #lag(): Promise<Reading[]> {
    const { fullName: service } = this.#service;
    const { place, partitions = new Set<number>() } = this.#pass ?? {};
    const { behind } = await this.#log.head((place ?? (await this.#published.whole())).cursor);
    const readings = [
      reading(streamMetrics.relayLagEvents, behind, { service }),
      reading(streamMetrics.relayPartitions, partitions.size, { service }),
      ...[...partitions].map(partition =>
        reading(streamMetrics.relayPartitionLag, behind, { service, partition: String(partition) }),
      ),
    ];
    if (place === undefined) return readings;
    if (behind === 0) this.#caughtUpAt = performance.now();
    const lagSeconds = (performance.now() - this.#caughtUpAt) / 1_000;
    return [...readings, reading(streamMetrics.relayLagSeconds, lagSeconds, { service })];
  }

  /** The messages of a page of the log. */
  #pageOf(after: Place, { events, cursor: upTo, mark }: LogPage): Sent[] {
    const follows = digestOfMark(after.mark);
    return events.map((event, i) => ({
      origin: this.origin,
      after: after.cursor,
      upTo,
      index: i + 1,
      count: events.length,
      ...(follows !== undefined && { follows }),
      ...(mark !== undefined && i + 1 === events.length && { mark }),
      event,
    }));
  }

  /** Publishes messages and waits until the server has stored all of them. */
  async #send(messages: readonly Sent[]): Promise<void> {
    const publish = (): Promise<void> => this.#outlet.publish(messages, this.seal);
    const events = messages.map(({ event }) => event);
    this.#sendingSince = performance.now();
    await (this.#traced ? this.#traced(events, publish) : publish()).finally(() => (this.#sendingSince = undefined));
    failpoint("relay:after-publish");
  }

  /** Begins where the slowest of the partitions is; those that are far behind go on at the log's end. */
  async #start(partitions: ReadonlySet<number>): Promise<Pass> {
    const places = [...(await this.#published.places())].filter(([partition]) => partitions.has(partition));
    const moved = new Map<Cursor, Place>();
    for (const place of places.map(([, place]) => place)) {
      if (moved.has(place.cursor)) continue;
      const { behind, cursor } = await this.#log.head(place.cursor);
      moved.set(place.cursor, behind > this.#limits.history ? { cursor } : place);
    }
    const from = places.map(([partition, { cursor }]) => [partition, moved.get(cursor)!] as const);
    const place = leastPlace(from.map(([, start]) => start));
    const ahead = new Map(
      from.flatMap(([partition, { cursor }]) => (isAtOrPast(place.cursor, cursor) ? [] : [[partition, cursor]])),
    );
    return { partitions, place, ahead, pages: new PartPages(this.origin, place) };
  }

  /** The log is not the one that was published: goes on at its end. */
  async #goToEnd(found: Found | undefined, { reason, head }: CursorFault): Promise<void> {
    this.#service.logger.warn(
      `relay of ${this.#service.fullName}: its place is not in the log (${reason}); it goes on at the log's end, and consumers read the events before from the log`,
    );
    if (found) await this.#published.move(found, { cursor: head });
    await this.#published.moveWhole((await this.#published.whole()).cursor, { cursor: head });
  }

  async #wait(ms: number): Promise<void> {
    if (!this.#isStopping) await this.#pause.wait(ms);
  }
}

interface Step {
  /** Events of the log that were read, and those that were published. */
  readonly events: number;
  readonly published: number;
  readonly isAtEnd: boolean;
  readonly fault?: CursorFault;
}

/** What an operator does about a failed attempt. */
function adviceOn(error: unknown): string {
  const { type = "", data } = error as { type?: string; data?: { advice?: unknown } };
  if (typeof data?.advice === "string") return data.advice;
  const known = Object.values(streamErrors).find(({ code }) => code === type);
  return known?.definition.todo ?? "look at the carrier's server: it is tried again each second";
}
