// Drives the sagas of one service. Guards P5 (sagas end): none is lost, each ends or is parked.
//
//   1. start      the starting event makes the saga: journal and row in one append. The event may come twice; the journal
//                 starts once. If the node dies right after, the one that takes its partition over finds the row.
//   2. turn       at most `sagasAtOnce` are driven; the others queue. A saga that the queue loses is found by its row.
//   3. plan       from the journal, by the pure planner.
//   4. call       the planned actions, in parallel, under command ids that follow from the journal.
//   5. journal    the outcomes and the next `sent`, in one append; then 3 again.
//
// A crash between 4 and 5 repeats the calls under the same ids: they get their first answers. A saga whose calls failed
// technically gives its turn to others and comes back after a pause. A saga that a newer release began, or sent a step of, is
// left as it is, and a node of that release goes on with it.
//
// A saga is driven by the node that has its partition (share.ts). A node that loses it finishes the step at hand and journals
// its outcome; the next one begins where the journal has come to. Two drivers of one saga do no harm: the ids are the same,
// and the journal takes an entry only from a writer that has seen all others.
import type { ServiceBroker } from "moleculer";
import { backoffMs, isRefusal, Refusal, rfc3339, settledWithin, systemClock, type Clock } from "../kernel/index.ts";
import { behalfOf, typedCall, type Behalf, type Call, type EventMetadata, type Recorded } from "../contract/index.ts";
import { ATTRIBUTES, carriedCause, SPANS, tracing } from "../tracing/index.ts";
import { ActorHost, archiveFinished, type Archived, type ArchiveOptions } from "../actor/siblings.ts";
import type { EventStore } from "../event-store/index.ts";
import { streamsLike } from "../event-store/siblings.ts";
import type { Failure, Saga } from "./define-saga.ts";
import { failpoint } from "./failpoints.ts";
import { fold, journalOf, sagaRowOf, type Entry, type Journal, type SagaState, type StartingEvent } from "./journal.ts";
import type { JournalLog } from "./journal-log.ts";
import type { SagaLimits } from "./limits.ts";
import { Patience } from "./patience.ts";
import {
  abandonOf,
  advance,
  answered,
  begun,
  beyond,
  failureOf,
  namesActor,
  plan,
  refused,
  type Circumstances,
  type Plan,
  type PlannedCall,
} from "./planner.ts";
import { sagaErrors } from "./errors.ts";
import type { SagaRef, SagaShare } from "./share.ts";

export type { SagaRef } from "./share.ts";

interface Waiting {
  readonly ref: SagaRef;
  /** Turns in a row that failed without progress. */
  readonly vain: number;
  readonly lastError?: Failure;
}
/** A turn's work on a saga now, and what its journal does not hold: the tries that got no answer. */
export interface Driving {
  readonly doing: "calling" | "pausing" | "queued";
  /** Turns in a row that failed without progress. */
  readonly failedTries: number;
  readonly lastError?: Failure;
  /** When a saga that pauses is tried again, RFC 3339. */
  readonly nextTryAt?: string;
}
/** Outcomes of calls: journal entries, and the last technical failure, if any, in words and as the error. */
interface Outcomes {
  readonly entries: Entry[];
  trouble?: Failure;
  error?: unknown;
}
/** Why a turn ended early. */
interface Trouble {
  readonly progressed: boolean;
  readonly failure: Failure;
  readonly error: unknown;
}

export interface DriverOptions {
  readonly sagas: readonly Saga[];
  readonly store: EventStore;
  readonly broker: ServiceBroker;
  /** Full name of the service whose sagas they are: the caller of their steps. */
  readonly service: string;
  readonly limits: SagaLimits;
  readonly share: SagaShare;
  readonly clock?: Clock;
  /** Told the types of entries that were journalled, for counting. */
  readonly ended?: ((entries: readonly string[]) => void) | undefined;
}

export class SagaDriver {
  readonly store: EventStore;
  readonly #hosts = new Map<string, { saga: Saga; host: ActorHost }>();
  readonly #broker: ServiceBroker;
  readonly #call: Call;
  readonly #service: string;
  readonly limits: SagaLimits;
  readonly #share: SagaShare;
  readonly #clock: Clock;
  readonly #queued = new Map<string, Waiting>();
  readonly #running = new Map<string, { readonly waiting: Waiting; readonly turn: Promise<void> }>();
  /** Running, and to run once more: an entry was journalled that the turn may not have seen. */
  readonly #again = new Set<string>();
  /** Running, and another node's from now on: they end with the step at hand. */
  readonly #leaving = new Set<string>();
  /** Sagas that pause after a failure. */
  readonly #resting = new Map<string, { waiting: Waiting; timer: NodeJS.Timeout; nextTryAt: string }>();
  readonly #tracing = tracing();
  readonly #patience: Patience;
  /** Sagas that another release has to drive. */
  readonly #elsewhere = new Set<string>();
  /** The reasons that were logged. */
  readonly #told = new Set<string>();
  /** When the log told of a trouble, by saga, step and type. */
  readonly #toldAt = new Map<string, number>();
  #stopping = false;

  constructor({ sagas, store, broker, service, limits, share, clock = systemClock, ended }: DriverOptions) {
    this.store = store;
    this.#broker = broker;
    this.#call = typedCall(broker);
    this.#service = service;
    this.limits = limits;
    this.#share = share;
    this.#clock = clock;
    this.#patience = new Patience({
      gapMs: 2 * (limits.callTimeoutMs + limits.retryCapMs),
      sagas: 10 * limits.remembered,
    });
    for (const saga of sagas) {
      const begin = (id: string, event: StartingEvent, now: string): readonly Entry[] =>
        begun(saga, `${saga.name}.${id}`, event, now);
      const tell = (id: string, entries: readonly Entry[]): void => this.#tellStuck(`${saga.name}.${id}`, entries);
      const host = new ActorHost(journalOf(saga.name, begin, tell), store, {
        logger: broker.logger,
        // The entries are the params of their command: recorded with it, each would be stored twice.
        recordCommands: false,
        limits: { idleMs: limits.idleMs, residentActors: limits.journals },
        sagaRow: (id, state) => sagaRowOf(`${saga.name}.${id}`, state),
      });
      if (ended) host.onCommitted(ended);
      this.#hosts.set(saga.name, { saga, host });
    }
  }

  /**
   * Starts the saga of an event, once however often it is called. Its id is the event's stream. The saga of another event that
   * stood in this one's place in the log is parked.
   */
  async start(saga: Saga, event: Recorded): Promise<void> {
    const { host } = this.#hosts.get(saga.name)!;
    const metadata = this.#causeOf(behalfOf(this.#service, event.metadata));
    const begin = async (id: string): Promise<void> => {
      await host.execute(id, "start", { event }, { metadata });
      this.#pass(refOf(saga, id));
    };
    try {
      await begin(event.stream);
    } catch (error) {
      // Another event of this stream has started the saga of that name: this one gets its own, by its version.
      if (!(error instanceof Refusal) || error.type !== "SAGA_EXISTS") throw error;
      await begin(`${event.stream}.${event.version}`);
    }
  }

  /** Gives the saga a turn as soon as fewer than `sagasAtOnce` run, also if it pauses. */
  drive(ref: SagaRef): void {
    this.#enqueue({ ref, vain: 0 });
  }

  /** Whether this driver runs the saga, or has it queued or paused; one that it leaves to another node does not count. */
  has(key: string): boolean {
    const isRunning = this.#running.has(key) && !this.#leaving.has(key);
    return isRunning || this.#queued.has(key) || this.#resting.has(key);
  }

  // ---- partitions

  isOurs(ref: SagaRef): boolean {
    return this.#share.isOurs(ref);
  }
  partitionOf(ref: SagaRef): number {
    return this.#share.partitionOf(ref);
  }
  /** The node that is to drive it, as far as this one knows. */
  ownerOf(ref: SagaRef): Promise<string | undefined> {
    return this.#share.ownerOf(ref);
  }

  /**
   * From now on drives a saga's instances of these partitions, and leaves others to the nodes that have them. Resolves when
   * the steps at hand of those are over, or after `handOverMs`: then another node repeats their calls under the same ids.
   * Answers at once which partitions are new.
   */
  serve(saga: Saga, partitions: ReadonlySet<number>): { gained: ReadonlySet<number>; isLeft: Promise<void> } {
    const { gained, left } = this.#share.hold(saga, partitions);
    const isTheirs = ({ ref }: Waiting): boolean =>
      ref.saga.name === saga.name && left.size > 0 && left.has(this.partitionOf(ref));
    for (const [key, waiting] of this.#queued) if (isTheirs(waiting)) this.#queued.delete(key);
    for (const [key, { waiting, timer }] of this.#resting) {
      if (!isTheirs(waiting)) continue;
      clearTimeout(timer);
      this.#resting.delete(key);
    }
    const turns: Promise<void>[] = [];
    for (const [key, { waiting, turn }] of this.#running) {
      if (!isTheirs(waiting)) continue;
      this.#leaving.add(key);
      this.#again.delete(key);
      turns.push(turn);
    }
    return { gained, isLeft: settledWithin(turns, this.limits.handOverMs) };
  }

  /** Has the node drive the saga whose partition it has. If that cannot be told, this one does. */
  #pass(ref: SagaRef): void {
    if (this.isOurs(ref)) return this.drive(ref);
    void this.#isTaken(ref).then(isTaken => {
      if (!isTaken) this.drive(ref);
    });
  }

  async #isTaken(ref: SagaRef): Promise<boolean> {
    const owner = await this.ownerOf(ref).catch(() => undefined);
    return owner !== undefined && owner !== this.#broker.nodeID && (await this.offer(owner, [ref.key])).length > 0;
  }

  /** Asks another node of the service to drive sagas. Answers the keys of those that it takes; none if it does not answer. */
  async offer(nodeID: string, ids: readonly string[]): Promise<readonly string[]> {
    const options = { nodeID, timeout: this.limits.offerMs, caller: this.#service };
    const asked = this.#broker.call<{ ids: string[] }, object>(`${this.#service}.driveSagas`, { ids }, options);
    // A node of the release before does not know the action.
    return asked.then(
      ({ ids }) => ids,
      () => [],
    );
  }

  /** Drives sagas that another node has met or changed, whoever has their partitions. Answers those that it can drive. */
  async take(keys: readonly string[]): Promise<string[]> {
    const taken: string[] = [];
    for (const key of keys) {
      const ref = this.refOf(key);
      if (!ref || this.#stopping || this.isFull) continue;
      const state = await this.read(ref);
      if (beyond(ref.saga, state) !== undefined) continue;
      this.drive(ref);
      taken.push(key);
    }
    return taken;
  }

  /** What this driver does about a saga; undefined when it has it no more than any other node. */
  driving(key: string): Driving | undefined {
    const resting = this.#resting.get(key);
    const waiting = this.#running.get(key)?.waiting ?? resting?.waiting ?? this.#queued.get(key);
    if (!waiting || !this.has(key)) return undefined;
    const { vain: failedTries, lastError } = waiting;
    return {
      doing: resting ? "pausing" : this.#running.has(key) ? "calling" : "queued",
      failedTries,
      ...(lastError && { lastError }),
      ...(resting && { nextTryAt: resting.nextTryAt }),
    };
  }

  /** Whether it has as many sagas queued and paused as it may; the watchdog finds others by their rows. */
  get isFull(): boolean {
    return this.#queued.size + this.#resting.size >= this.limits.remembered;
  }

  /** Numbers of what it has in memory, all of them bounded however many sagas are open. */
  get inMemory(): Readonly<Record<"driven" | "waiting" | "journals" | "tried", number>> {
    const journals = [...this.#hosts.values()].reduce((sum, { host }) => sum + host.resident, 0);
    const waiting = this.#queued.size + this.#resting.size;
    return { driven: this.#running.size, waiting, journals, tried: this.#patience.size };
  }

  /** Keys of the open sagas that it met since the last call and that only another release can drive. */
  foreign(): string[] {
    const keys = [...this.#elsewhere];
    this.#elsewhere.clear();
    return keys;
  }

  /** The saga of a row, unless this service no longer has one of that name. */
  refOf(key: string): SagaRef | undefined {
    const name = key.slice(0, key.indexOf("."));
    const known = this.#hosts.get(name);
    return known && refOf(known.saga, key.slice(name.length + 1));
  }

  /** The saga that an operator means: by key, or by id of the service's first saga. */
  resolve(id: string): SagaRef {
    const [first] = this.#hosts.values();
    const ref = this.refOf(id) ?? (first && refOf(first.saga, id));
    if (!ref) throw notFound(id);
    return ref;
  }

  /** Sagas whose key, or the id in it, begins so; `limit` of each name at most. */
  async keysLike(prefix: string, limit: number): Promise<SagaRef[]> {
    const names = [...this.#hosts.keys()];
    const prefixes = names.flatMap(name => [`${name}.${prefix}`, ...(prefix.startsWith(`${name}.`) ? [prefix] : [])]);
    const found = await Promise.all(prefixes.map(key => streamsLike(this.store, key, limit)));
    return found.flat().flatMap(({ stream }) => this.refOf(stream) ?? []);
  }

  /** The journal as it is. Refused (`SAGA_NOT_FOUND`) when it never started. */
  async read(ref: SagaRef): Promise<SagaState> {
    const { state } = await this.#host(ref).get(ref.id, { consistent: true });
    if ((state as SagaState).event === undefined) throw notFound(ref.id);
    return state as SagaState;
  }

  history(ref: SagaRef): Promise<Awaited<ReturnType<ActorHost["history"]>>> {
    return this.#host(ref).history(ref.id, 1, this.limits.rows);
  }

  /** The journals, by the names of their sagas. */
  get journals(): ReadonlyMap<string, Journal> {
    return new Map([...this.#hosts].map(([name, { host }]) => [name, host.actor as Journal]));
  }

  /** Archives the journals of sagas that have ended. Nothing calls them. `release`: those that nobody has to read any more. */
  async archive(options: ArchiveOptions, release: JournalLog["released"]): Promise<Archived> {
    const all: Archived[] = [];
    for (const [name, { host }] of this.#hosts)
      all.push(
        await archiveFinished(host.actor, this.store, options, this.limits.rows, streams => release(name, streams)),
      );
    const sum = (part: "archived" | "waiting") => all.reduce((total, archived) => total + archived[part], 0);
    return { ...all[0]!, archived: sum("archived"), waiting: sum("waiting"), kept: all.flatMap(({ kept }) => kept) };
  }

  /**
   * The actors among these that an open saga, a stuck one too, may still call: its journal names them, or their id contains
   * that of its starting stream. All of them when there are more open sagas than `remembered`, or one of a definition that
   * this release does not have.
   */
  async held(ids: readonly string[]): Promise<string[]> {
    const free = new Set(ids);
    let after: string | undefined;
    for (let seen = 0; free.size > 0;) {
      const limit = this.limits.rows;
      const rows = await this.store.sagas({ state: "open", limit, ...(after !== undefined && { after }) });
      seen += rows.length;
      if (seen > this.limits.remembered) return [...ids];
      for (let i = 0; i < rows.length; i += this.limits.sagasAtOnce) {
        const refs = rows.slice(i, i + this.limits.sagasAtOnce).map(({ id }) => this.refOf(id));
        if (refs.includes(undefined)) return [...ids];
        for (const state of await Promise.all(refs.map(ref => this.read(ref!))))
          for (const id of namedIn(state, free)) free.delete(id);
      }
      if (rows.length < limit) break;
      after = rows.at(-1)!.id;
    }
    return ids.filter(id => !free.has(id));
  }

  /**
   * Writes an operator's entry, which `edit` makes from the state or refuses, and gives the saga a turn. `cause` names the
   * operator. Answers the new state.
   */
  async edit(ref: SagaRef, edit: (state: SagaState, now: string) => Entry, cause?: EventMetadata): Promise<SagaState> {
    for (let tries = 1; ; tries++) {
      const state = await this.read(ref);
      const entry = edit(state, this.#now());
      try {
        const next = await this.#append(ref, state, [entry], cause);
        this.#pass(ref);
        return next;
      } catch (error) {
        if (!hasMoved(error) || tries >= this.limits.editsMax) throw error;
      }
    }
  }

  /** Begins no more steps. Another node, or this one after a restart, goes on under the same command ids. */
  leave(): void {
    this.#stopping = true;
    this.#queued.clear();
    for (const { timer } of this.#resting.values()) clearTimeout(timer);
    this.#resting.clear();
  }

  /** Leaves; resolves when the open calls have been answered and journalled, or after `withinMs`. */
  async stop(withinMs: number): Promise<void> {
    this.leave();
    await settledWithin(
      [...this.#running.values()].map(({ turn }) => turn),
      withinMs,
    );
    await Promise.all([...this.#hosts.values()].map(({ host }) => host.drain()));
  }

  /** Whether a call can be abandoned: its params name an actor, and its service answers `abandon`. */
  readonly canAbandon = (action: string, params: unknown): boolean => {
    const { actions } = this.#broker.registry;
    const isKnown = (name: string): boolean => (actions.get(name)?.count() ?? 0) > 0;
    // A service that is away is assumed to answer it: the request to abandon then waits, and the call does not run
    // late.
    return namesActor(action, params) && (isKnown(abandonOf(action)) || !isKnown(action));
  };

  // ---- turns

  #enqueue(waiting: Waiting): void {
    const { key } = waiting.ref;
    if (this.#stopping) return;
    if (this.#running.has(key)) return void this.#again.add(key);
    clearTimeout(this.#resting.get(key)?.timer);
    this.#resting.delete(key);
    if (!this.isFull) this.#queued.set(key, waiting);
    this.#fill();
  }

  #fill(): void {
    for (const [key, waiting] of this.#queued) {
      if (this.#running.size >= this.limits.sagasAtOnce) return;
      this.#queued.delete(key);
      const begin = (): Promise<void> => this.#turn(waiting);
      // The end of another saga's turn may have made room.
      const turn = this.#tracing ? this.#tracing.inside(undefined, begin) : begin();
      this.#running.set(key, { waiting, turn });
    }
  }

  /** Drives one saga until it ends, rests or has trouble. Never rejects. */
  async #turn({ ref, vain }: Waiting): Promise<void> {
    let next: Waiting | undefined;
    try {
      const trouble = await this.#pursue(ref);
      if (trouble) next = { ref, vain: trouble.progressed ? 1 : vain + 1, lastError: trouble.failure };
      // Logged once, not at each repetition: those go on until the saga is parked.
      if (trouble && isBug(trouble.error) && next?.vain === 1 && !this.#stopping)
        this.#broker.logger.error(
          `saga ${ref.key}: a call failed with a bug, and is repeated until the saga is parked`,
          trouble.error,
        );
      else if (trouble && next) this.#tell(ref, trouble, next.vain);
    } catch (error) {
      const lastError = failureOf("", error);
      this.#broker.logger.warn(`saga ${ref.key}: ${lastError.message}`);
      next = { ref, vain: vain + 1, lastError };
    }
    this.#running.delete(ref.key);
    const isLeft = this.#leaving.delete(ref.key);
    if (this.#again.delete(ref.key)) this.drive(ref);
    else if (next && !isLeft) this.#rest(next);
    this.#fill();
  }

  /**
   * Says in the log which saga waits for what, once for all that have the same trouble: until one is parked the log would
   * say nothing, and that is a quarter of an hour.
   */
  #tell({ saga, key }: SagaRef, { failure: { step, type, message } }: Trouble, vain: number): void {
    if (vain < this.limits.toldAfterTries || this.#stopping) return;
    const [trouble, now] = [`${saga.name} ${step} ${type}`, this.#clock.monotonic()];
    if (now - (this.#toldAt.get(trouble) ?? -Infinity) < this.limits.toldEveryMs) return;
    if (this.#toldAt.size >= REASONS_MAX) this.#toldAt.clear();
    this.#toldAt.set(trouble, now);
    const others = this.#resting.size === 0 ? "" : `; ${this.#resting.size} other sagas here wait for their next try`;
    this.#broker.logger.warn(
      `saga ${key}: ${step} has failed ${vain} times and is repeated, the last time with ${type}: ${message}${others}`,
    );
  }

  #rest(waiting: Waiting): void {
    if (this.#stopping || this.isFull) return;
    const pauseMs = backoffMs(waiting.vain, { baseMs: this.limits.retryBaseMs, capMs: this.limits.retryCapMs });
    const timer = setTimeout(() => this.#enqueue(waiting), pauseMs);
    this.#resting.set(waiting.ref.key, { waiting, timer, nextTryAt: rfc3339(this.#clock.now() + pauseMs) });
  }

  /** One turn, as a part of the trace in which the saga began, however long ago. */
  async #pursue(ref: SagaRef): Promise<Trouble | undefined> {
    const { state } = (await this.#host(ref).get(ref.id)) as { state: SagaState };
    if (!this.#tracing) return this.#pursueFrom(ref, state);
    const parent = carriedCause(state.event?.metadata) ?? null;
    const start = { name: `${SPANS.saga} ${ref.saga.name}`, parent, attributes: { [ATTRIBUTES.saga]: ref.key } };
    return this.#tracing.within(start, () => this.#pursueFrom(ref, state));
  }

  /** Plans, calls and journals until there is nothing to do, or until calls fail technically. */
  async #pursueFrom(ref: SagaRef, begun: SagaState): Promise<Trouble | undefined> {
    const { saga, key } = ref;
    let state = begun;
    let progressed = false;
    while (!this.#isLeaving(key)) {
      const planned = plan(saga, key, state, this.#circumstances());
      this.#note(ref, planned);
      if (planned.kind === "rest" || planned.kind === "elsewhere") return undefined;
      const calls = planned.kind === "calls" ? planned.calls : [];
      const beganAt = this.#clock.monotonic();
      const { entries: outcomes, trouble, error: failure } = await this.#perform(key, calls, this.#behalfOf(state));
      const circumstances = this.#circumstances(trouble && { trouble, key, state: fold(state, outcomes), beganAt });
      // While leaving, no call leaves, so none is journalled as sent; and a failure may come from a stop itself.
      const entries = this.#isLeaving(key) ? outcomes : advance(saga, key, state, outcomes, circumstances);
      try {
        if (entries.length > 0) state = await this.#append(ref, state, entries);
      } catch (error) {
        if (hasMoved(error)) state = await this.read(ref);
        else state = await this.#park(ref, state, error);
        continue;
      }
      progressed ||= entries.length > 0;
      // More entries than outcomes: the deadline has passed, and the saga compensates or is parked.
      if (trouble && entries.length === outcomes.length) return { progressed, failure: trouble, error: failure };
    }
    return undefined;
  }

  /** Remembers a saga that another release has to drive, and logs each reason once; forgets the tries of one that rests. */
  #note({ key }: SagaRef, planned: Plan): void {
    if (planned.kind === "elsewhere") {
      this.#elsewhere.add(key);
      if (this.#elsewhere.size > this.limits.remembered) this.#elsewhere.delete(this.#elsewhere.values().next().value!);
      if (!this.#told.has(planned.reason))
        this.#broker.logger.warn(
          `saga ${key}: ${planned.reason}; it waits for a node of that release (of a step that was removed, raise the version)`,
        );
      if (this.#told.size < REASONS_MAX) this.#told.add(planned.reason);
    } else this.#elsewhere.delete(key);
    if (planned.kind === "rest" || planned.kind === "elsewhere") this.#patience.forget(key);
  }

  /** Parks a saga whose outcomes the journal can never take. Throws an error that may pass. */
  async #park(ref: SagaRef, state: SagaState, error: unknown): Promise<SagaState> {
    if (!isBug(error) && !isRefusal(error)) throw error;
    const { type, message } = failureOf("", error);
    const reason = `its journal does not take the outcomes of its calls: ${type}: ${message}`;
    return this.#append(ref, state, [{ type: "saga.stuck", data: { reason } }]);
  }

  /**
   * Makes the calls, at most `itemsAtOnce` at once. After a refusal no more are begun: the calls that were sent are
   * undone anyway.
   */
  async #perform(key: string, calls: readonly PlannedCall[], behalf: Behalf): Promise<Outcomes> {
    const outcomes: Outcomes = { entries: [] };
    const waiting = calls.values();
    let isRefused = false;
    const work = async (): Promise<void> => {
      for (const call of waiting) {
        if (isRefused || this.#isLeaving(key)) return;
        try {
          outcomes.entries.push(answered(call, asAnswered(await this.#callTraced(call, behalf)), this.#now()));
        } catch (error) {
          // A refused `abandon` says nothing about the call: it is tried again until the saga is parked.
          if (isRefusal(error) && call.purpose !== "abandon") {
            isRefused = true;
            outcomes.entries.push(refused(call, error, this.#now()));
          } else {
            outcomes.trouble = failureOf(call.step, error);
            outcomes.error = error;
          }
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(calls.length, this.limits.itemsAtOnce) }, work));
    return outcomes;
  }

  #callTraced(planned: PlannedCall, behalf: Behalf): Promise<unknown> {
    if (!this.#tracing) return this.#callOne(planned, behalf);
    const { step, item, purpose } = planned;
    const attributes = { [ATTRIBUTES.step]: step, [ATTRIBUTES.item]: item, [ATTRIBUTES.purpose]: purpose };
    return this.#tracing.within({ name: `${SPANS.step} ${step}`, attributes }, () => this.#callOne(planned, behalf));
  }

  async #callOne(
    { purpose, action, params, commandId, timeoutMs = Infinity }: PlannedCall,
    behalf: Behalf,
  ): Promise<unknown> {
    failpoint(purpose === "undo" ? "saga:before-undo" : "saga:before-step");
    const answer = await this.#call(action as never, params as never, {
      behalf,
      ...(commandId !== undefined && { commandId }),
      timeoutMs: Math.min(timeoutMs, this.limits.callTimeoutMs),
    });
    failpoint("saga:after-step");
    return answer;
  }

  async #append(
    ref: SagaRef,
    state: SagaState,
    entries: readonly Entry[],
    cause = this.#causeOf(this.#behalfOf(state)),
  ): Promise<SagaState> {
    await this.#host(ref).execute(ref.id, "journal", { seen: state.entries, entries }, { metadata: cause });
    this.#tellStuck(ref.key, entries);
    return fold(state, entries);
  }

  /**
   * A saga acts on behalf of the person whose event started it, or of the operator who has sent it on since. It has none of their
   * rights: those were asked for when the event was recorded, and when the operator called.
   */
  #behalfOf({ operator, event }: SagaState): Behalf {
    return behalfOf(this.#service, operator ?? event?.metadata ?? {});
  }

  #causeOf(behalf: Behalf): EventMetadata {
    return { ...behalf, node: this.#broker.nodeID };
  }

  /** Logs that a saga waits for an operator. */
  #tellStuck(key: string, entries: readonly Entry[]): void {
    for (const { type, data } of entries)
      if (type === "saga.stuck")
        this.#broker.logger.warn(`saga ${key} is stuck until an operator retries or compensates it: ${data.reason}`);
  }

  #host({ saga }: SagaRef): ActorHost {
    return this.#hosts.get(saga.name)!.host;
  }

  #circumstances(failed?: { trouble: Failure; key: string; state: SagaState; beganAt: number }): Circumstances {
    const { stuckAfterMs } = this.limits;
    const { trouble, key, state, beganAt } = failed ?? {};
    const driven = failed && this.#patience.failed(key!, state!, beganAt!, this.#clock.monotonic());
    return { now: this.#now(), trouble, canAbandon: this.canAbandon, stuckAfterMs, ...(driven && { driven }) };
  }

  /** Whether a saga begins no further step here. */
  #isLeaving(key: string): boolean {
    return this.#stopping || this.#leaving.has(key);
  }

  #now(): string {
    return rfc3339(this.#clock.now());
  }
}

/** The ids that a journal names anywhere, or that contain the id of the stream that started it. */
function namedIn({ event, calls }: SagaState, ids: ReadonlySet<string>): string[] {
  const named = new Set<string>();
  const look = (value: unknown): void => {
    if (typeof value === "string") named.add(value);
    else if (typeof value === "object" && value !== null) for (const inner of Object.values(value)) look(inner);
  };
  look([event?.stream, event?.data, calls]);
  return [...ids].filter(id => named.has(id) || id.includes(event!.stream));
}
/** Reasons for leaving a saga to another release that are logged. */
const REASONS_MAX = 100;
/** An answer as the journal will hold it. Throws if it cannot: then the call counts as one without an answer. */
const asAnswered = (answer: unknown): unknown =>
  answer === undefined ? undefined : JSON.parse(JSON.stringify(answer));
const refOf = (saga: Saga, id: string): SagaRef => ({ saga, id, key: `${saga.name}.${id}` });
const isBug = (error: unknown): boolean => (error as { data?: { family?: unknown } }).data?.family === "bug";
const hasMoved = (error: unknown): boolean => error instanceof Refusal && error.type === "JOURNAL_MOVED";
const notFound = (id: string): Refusal => sagaErrors.SAGA_NOT_FOUND({ field: "id", id });
