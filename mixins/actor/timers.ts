// Fires durable timers: the command that was set goes to its actor through the broker, so placement applies. Any node
// may fire: the command id comes from the timer and the time that it was set to, so a double firing, and one whose
// answer was lost, takes effect once. The nodes of a service share the timers by the partition of their stream; that only
// saves work. A timer is deleted once its command was answered, refusals included; an unavailable one is tried again after a
// backoff, with a warning.
import { backoffMs, isRefusal, plainError, settledWithin, timerCommandId } from "../kernel/index.ts";
import { ATTRIBUTES, SPANS, tracing } from "../tracing/index.ts";
import { partitionOf } from "../stream/siblings.ts";
import type { DueTimer, EventStore } from "../event-store/index.ts";
import { failpoint } from "./failpoints.ts";
import type { ActorLimits } from "./limits.ts";

/** A timer that is set anew is another one. */
const keyOf = ({ id, dueAt }: DueTimer): string => `${id}@${dueAt}`;

type Send = (id: string, command: string, params: Record<string, unknown>, commandId: string) => Promise<unknown>;

const limits = {
  /** Milliseconds between two portions of overdue timers. */
  portionMs: 100,
  /** Milliseconds after the end of a timer that others waited for until the next look: several ends, one look. */
  gatherMs: 5,
  /** Milliseconds that partitions which another node is to have wait for their timers that are under way. */
  handOverMs: 500,
  /** Milliseconds between two warnings about timers that fail: an outage fails all of them. */
  tellMs: 10_000,
};

/**
 * Whether the actor refused. A node that refuses the params does not count: while two releases run side by side, one may
 * refuse params that the other has set.
 */
const isAnswer = (error: unknown): boolean =>
  isRefusal(error) && (error as { data?: { family?: unknown } }).data?.family === "refusal";

export class TimerRunner {
  readonly #store: EventStore;
  readonly #call: Send;
  readonly #limits: ActorLimits;
  readonly #onError: (error: Error) => void;
  /** Number of partitions, and those whose timers this node fires. */
  #count = 1;
  #partitions: ReadonlySet<number> = new Set();
  readonly #tracing = tracing();
  /** By stream, the timer that is under way. */
  readonly #firing = new Map<string, Promise<void>>();
  /** Timers that have ended since the due ones were asked for: the answer may still have them. */
  readonly #ended = new Set<string>();
  #next: { readonly timer: NodeJS.Timeout; readonly at: number } | undefined;
  #look: Promise<void> | undefined;
  /** Due timers wait for one that is under way to end. */
  #isCrowded = false;
  /** Timers left of the current portion, and when it began; monotonic. */
  #portion = { left: 0, beganAt: -Infinity };
  /** Failures since the last warning, and when the next one is due; monotonic. */
  #failed = { timers: 0, tellAt: -Infinity };
  #stopped = false;

  /** Fires nothing until it is told which partitions are this node's. */
  constructor(store: EventStore, send: Send, limits: ActorLimits, onError: (error: Error) => void) {
    this.#store = store;
    this.#call = send;
    this.#limits = limits;
    this.#onError = onError;
  }

  /** Number of the partitions whose timers this node fires. */
  get partitions(): number {
    return this.#partitions.size;
  }

  /**
   * From now on fires the timers of these partitions, of so many, and of no others. Resolves when the others that are under
   * way have been answered, or after `handOverMs`: the node that fires them again does so under the same command ids.
   */
  serve(partitions: ReadonlySet<number>, count: number): Promise<void> {
    this.#partitions = partitions;
    this.#count = count;
    this.#lookIn(0);
    const others = [...this.#firing].filter(([stream]) => !this.#isOurs(stream));
    return settledWithin(
      others.map(([, fired]) => fired),
      limits.handOverMs,
    );
  }

  #isOurs(stream: string): boolean {
    return this.#partitions.has(partitionOf(stream, this.#count));
  }

  /** Waits for timers that are under way; others stay due. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#next?.timer);
    await this.#look;
    await Promise.all(this.#firing.values());
  }

  #lookIn(ms: number): void {
    const at = performance.now() + ms;
    if (this.#stopped || this.#look || (this.#next && this.#next.at <= at)) return;
    clearTimeout(this.#next?.timer);
    const timer = setTimeout(() => {
      this.#next = undefined;
      this.#look = this.#fireDue()
        .catch((error: Error) => {
          this.#onError(error);
          return this.#limits.timerPollMs;
        })
        .then(nextInMs => {
          this.#look = undefined;
          this.#lookIn(nextInMs);
        });
    }, ms);
    this.#next = { timer, at };
  }

  /** Milliseconds until the next look. */
  async #fireDue(): Promise<number> {
    const { timersAtOnce, timerPollMs } = this.#limits;
    const partitions = this.#partitions;
    if (partitions.size === 0) return timerPollMs;
    const { ready, isPast, nextInMs } = await this.#due();
    if (this.#partitions !== partitions) return 0;
    const room = timersAtOnce - this.#firing.size;
    const portion = this.#take(Math.min(ready.length, room));
    for (const timer of ready.slice(0, portion)) this.#begin(timer);
    const isFull = portion === 0 ? isPast : portion === room;
    this.#isCrowded = isPast || isFull;
    if (portion < Math.min(ready.length, room)) return limits.portionMs;
    // With no timer to begin, or no room for more, the end of one that is under way makes the next look.
    return isFull ? timerPollMs : Math.max(1, Math.min(nextInMs, timerPollMs));
  }

  /** The oldest due timer of each actor that has none under way. Reads on past the timers of actors that have. */
  async #due(): Promise<{ ready: DueTimer[]; isPast: boolean; nextInMs: number }> {
    const { timersAtOnce, timersRead, timerPollMs } = this.#limits;
    const count = this.#count;
    const part = this.#partitions.size < count ? { count, partitions: [...this.#partitions] } : undefined;
    for (let limit = timersAtOnce + this.#firing.size; ; limit *= 2) {
      this.#ended.clear();
      const { due, nextInMs = timerPollMs } = await this.#store.dueTimers(limit, part);
      const isFree = (timer: DueTimer): boolean => !this.#firing.has(timer.stream) && !this.#ended.has(keyOf(timer));
      const ready = new Map<string, DueTimer>();
      for (const timer of due) if (isFree(timer) && !ready.has(timer.stream)) ready.set(timer.stream, timer);
      if (ready.size > 0 || due.length < limit || limit >= timersRead)
        return { ready: [...ready.values()], isPast: due.length > ready.size, nextInMs };
    }
  }

  /** How many of them may be begun now. */
  #take(timers: number): number {
    const now = performance.now();
    const { timersPerSecond } = this.#limits;
    if (now - this.#portion.beganAt >= limits.portionMs)
      this.#portion = { left: Math.ceil((timersPerSecond * limits.portionMs) / 1_000), beganAt: now };
    const taken = Math.min(timers, this.#portion.left);
    this.#portion.left -= taken;
    return taken;
  }

  #begin(timer: DueTimer): void {
    const fired = this.#fire(timer)
      .catch(this.#onError)
      .then(() => {
        this.#firing.delete(timer.stream);
        this.#ended.add(keyOf(timer));
        if (this.#isCrowded) this.#lookIn(limits.gatherMs);
      });
    this.#firing.set(timer.stream, fired);
  }

  /** In the trace of the command that set it, however long ago. */
  #fire(timer: DueTimer): Promise<void> {
    if (!this.#tracing) return this.#send(timer);
    const { stream, command, cause } = timer;
    const attributes = { [ATTRIBUTES.stream]: stream, [ATTRIBUTES.command]: command };
    return this.#tracing.within({ name: SPANS.timer, parent: cause ?? null, attributes }, () => this.#send(timer));
  }

  async #send(timer: DueTimer): Promise<void> {
    const id = timer.stream.slice(timer.stream.indexOf(".") + 1);
    try {
      failpoint("timer:before-fire");
      await this.#call(id, timer.command, JSON.parse(timer.params), timerCommandId(keyOf(timer)));
      failpoint("timer:after-fire");
    } catch (error) {
      if (!isAnswer(error)) {
        // It may have failed because this node leaves: the next node need not wait for a backoff.
        if (this.#stopped || !this.#isOurs(timer.stream)) return;
        this.#tell(timer, error);
        return this.#store.postponeTimer(timer, backoffMs(timer.attempts + 1, { baseMs: 500, capMs: 60_000 }));
      }
    }
    await this.#store.deleteTimer(timer);
  }

  #tell({ id, command, attempts }: DueTimer, error: unknown): void {
    const failed = this.#failed;
    failed.timers++;
    if (performance.now() < failed.tellAt) return;
    const others = failed.timers > 1 ? ` (and ${failed.timers - 1} others meanwhile)` : "";
    this.#failed = { timers: 0, tellAt: performance.now() + limits.tellMs };
    const { type, message } = plainError(error);
    this.#onError(
      new Error(`timer ${id} could not send "${command}"${others}, attempt ${attempts + 1}: ${type} ${message}`),
    );
  }
}
