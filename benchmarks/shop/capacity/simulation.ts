// A discrete-event simulation: a clock that jumps from event to event, and what work waits at. Every random number comes from
// one seed, so that a run can be repeated. Times are milliseconds.
import { randomOf } from "@valence/runtime/testing";

interface Event {
  readonly at: number;
  /** Events of one instant happen in the order in which they were made. */
  readonly order: number;
  readonly happen: () => void;
}

export class Simulation {
  now = 0;
  readonly random: () => number;
  /** A binary heap: the next event is first, and none is later than the two below it. */
  readonly #events: Event[] = [];
  #made = 0;

  constructor(seed: number) {
    this.random = randomOf(seed);
  }

  after(ms: number, happen: () => void): void {
    const event = { at: this.now + ms, order: this.#made++, happen };
    const events = this.#events;
    let at = events.push(event) - 1;
    for (let up = (at - 1) >> 1; at > 0 && isBefore(event, events[up]!); up = (at - 1) >> 1) {
      events[at] = events[up]!;
      at = up;
    }
    events[at] = event;
  }

  /** Runs the events until a time; the clock is there then, and later events stay. */
  runUntil(ms: number): void {
    while (this.#events.length > 0 && this.#events[0]!.at <= ms) {
      const { at, happen } = this.#next();
      this.now = at;
      happen();
    }
    this.now = ms;
  }

  /** A time with the given mean, exponentially distributed: between arrivals that do not know of each other. */
  exponential(meanMs: number): number {
    return -Math.log(1 - this.random()) * meanMs;
  }

  #next(): Event {
    const events = this.#events;
    const first = events[0]!;
    const last = events.pop()!;
    const { length } = events;
    if (length === 0) return first;
    let at = 0;
    for (let down = 1; down < length; down = 2 * at + 1) {
      if (down + 1 < length && isBefore(events[down + 1]!, events[down]!)) down++;
      if (isBefore(last, events[down]!)) break;
      events[at] = events[down]!;
      at = down;
    }
    events[at] = last;
    return first;
  }
}

const isBefore = (one: Event, other: Event): boolean => (one.at - other.at || one.order - other.order) < 0;

/** Waits of which the first has been taken are dropped together: to take one from the front of a long array copies it. */
const DROPPED_AT = 1_000;

/** Servers of one queue, first come, first served: the loop of a process is one, the cores of a machine are several. */
export class Station {
  readonly simulation: Simulation;
  readonly #servers: number;
  readonly #speed: number;
  #waiting: { readonly ms: number; readonly done: () => void }[] = [];
  #first = 0;
  #busy = 0;
  #whenIdle: (() => void)[] = [];
  /** Milliseconds that servers have worked, all together. */
  workedMs = 0;

  /** A server of speed 0.33 is held to a third of a core. */
  constructor(simulation: Simulation, { servers = 1, speed = 1 } = {}) {
    this.simulation = simulation;
    this.#servers = servers;
    this.#speed = speed;
  }

  get isIdle(): boolean {
    return this.#busy === 0;
  }
  /** Requests that wait, without those at work. */
  get waiting(): number {
    return this.#waiting.length - this.#first;
  }

  serve(ms: number, then: () => void): void {
    if (this.#busy < this.#servers) this.#work(ms, then);
    else this.#waiting.push({ ms, done: then });
  }

  /** Calls once, when nothing is at work. */
  whenIdle(then: () => void): void {
    this.#whenIdle.push(then);
  }

  #work(ms: number, then: () => void): void {
    this.#busy++;
    this.simulation.after(ms / this.#speed, () => {
      this.#busy--;
      this.workedMs += ms;
      this.#takeNext();
      then();
      if (this.#busy > 0 || this.#whenIdle.length === 0) return;
      const told = this.#whenIdle;
      this.#whenIdle = [];
      for (const idle of told) idle();
    });
  }

  #takeNext(): void {
    const next = this.#waiting[this.#first];
    if (!next) return;
    if (++this.#first >= DROPPED_AT) {
      this.#waiting = this.#waiting.slice(this.#first);
      this.#first = 0;
    }
    this.#work(next.ms, next.done);
  }
}

export interface LaneOptions {
  /** Milliseconds of a transaction with so many appends. */
  readonly batchMs: (appends: number) => number;
  readonly batchAppends: number;
  /** Where appends come from: while it has work, a batch waits for more. */
  readonly loop: Station;
}

/** As in the limits of the event store. */
const HALF_APPENDS_MIN = 16;

/** A lane of the event store: one batch in flight. See mixins/event-store/group-commit.ts. */
export class Lane {
  readonly #simulation: Simulation;
  readonly #options: LaneOptions;
  #waiting: (() => void)[] = [];
  #isBusy = false;
  #half = HALF_APPENDS_MIN;
  commits = 0;

  constructor(simulation: Simulation, options: LaneOptions) {
    this.#simulation = simulation;
    this.#options = options;
  }

  append(then: () => void): void {
    this.#waiting.push(then);
    if (this.#isBusy) return;
    if (this.#waiting.length >= this.#half || this.#options.loop.isIdle) this.#send();
    else if (this.#waiting.length === 1) this.#options.loop.whenIdle(() => this.#send());
  }

  /** A batch leaves when half of the last one waits, or when the loop has nothing to add. */
  #send(): void {
    if (this.#isBusy || this.#waiting.length === 0) return;
    const batch = this.#waiting.splice(0, this.#options.batchAppends);
    this.#isBusy = true;
    this.#half = Math.max(HALF_APPENDS_MIN, Math.ceil(batch.length / 2));
    this.commits++;
    this.#simulation.after(this.#options.batchMs(batch.length), () => {
      this.#isBusy = false;
      for (const then of batch) then();
      this.#send();
    });
  }
}
