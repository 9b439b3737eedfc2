// The queue in front of the router. Node parses every request that has arrived before it runs anything else, and a handler
// that works at once cannot know how many there are: under three times the load that it can bear it answers all of them, each
// too late. Here a request that arrives is only put into a queue. Then, once a turn of the loop:
//
//   1. a few are begun           the most important first; each service in its turn; the newest first once the oldest has
//                                waited long, since that one's client may have given up. A client that has left is dropped
//   2. late ones are refused     503 with a jittered Retry-After, before log-in, body and router. None is refused before it
//                                was passed over: after a pause of the process all would be late
//
// How long a request may wait follows CoDel: a burst may wait half a second, but once a queue has not been empty for that
// long it is no burst, and from then on nobody waits longer than 50 ms. Measured at three times the capacity: without the
// queue 0 good answers a second, with it 90 % of the capacity.
//
// Each service has a queue and a limit of calls of its own (`concurrency-limit.ts`), at most half of all places: a service
// that hangs fills its own share, and the others go on.
import type { Clock } from "../../kernel/index.ts";
import { gatewayErrors } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Client } from "./admission.ts";
import { ConcurrencyLimit } from "./concurrency-limit.ts";
import { PRIORITIES, type Priority } from "./priority.ts";

export interface Entrant {
  /** The service that will be called; each has a share of its own. */
  readonly service: string;
  /** Identifies the route: each has its own usual time. */
  readonly route: string;
  readonly priority: Priority;
  /** The network of the client. */
  readonly address: string;
  readonly client: Client;
  /**
   * Whether the request counts among those at work from its start on. A body that is still on its way, and an event
   * stream, would count for as long as the client likes.
   */
  readonly counts: () => boolean;
  /** Begins the request. */
  readonly begin: (turn: Turn) => void;
  /** The client has left after the request was begun, before its answer was written. */
  readonly leave: () => void;
  /** Answers 503 in place of it. */
  readonly refuse: (error: Error) => void;
}

export interface EntranceOptions {
  readonly clock: Clock;
  /** Calls back in the next turn of the event loop, after it has read its sockets. Default `setImmediate`. */
  readonly nextTurn?: (decide: () => void) => void;
}

export class Entrance {
  readonly #clock: Clock;
  readonly #nextTurn: (decide: () => void) => void;
  readonly #shares = new Map<string, Share>();
  #order: Share[] = [];
  readonly #byAddress = new Map<string, number>();
  readonly #refused = new Map<Priority, number>(PRIORITIES.map(priority => [priority, 0]));
  #isDeciding = false;
  /** When the last turn of the loop was decided about, if requests were left for the next one. */
  #decidedAt: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor({ clock, nextTurn = setImmediate }: EntranceOptions) {
    this.#clock = clock;
    this.#nextTurn = nextTurn;
  }

  /** Requests that wait for their turn. */
  get waiting(): number {
    return this.#order.reduce((sum, { waiting }) => sum + waiting, 0);
  }
  get refusedTotal(): number {
    return [...this.#refused.values()].reduce((sum, n) => sum + n, 0);
  }
  /** Requests refused since the start, by priority. */
  get refused(): ReadonlyMap<Priority, number> {
    return this.#refused;
  }
  /** Calls at work, and the present limit of them, by service. */
  get shares(): readonly { readonly service: string; readonly atWork: number; readonly limit: number }[] {
    return this.#order.map(({ service, atWork, limit }) => ({ service, atWork, limit: limit.value }));
  }

  /** Puts the request into the queue of its service: `begin` or `refuse` is called later, unless the client leaves. */
  enter(entrant: Entrant): void {
    const { address } = entrant;
    const own = this.#byAddress.get(address) ?? 0;
    if (own >= limits.requestsPerAddressMax) return this.refuse(entrant);
    this.#byAddress.set(address, own + 1);
    const now = this.#clock.monotonic();
    const share = this.#shareOf(entrant.service, now);
    share.put(new Turn(this, share, entrant, this.#clock, now), now);
    this.decideSoon();
  }

  /** Decides at the end of this turn of the event loop. */
  decideSoon(): void {
    if (this.#isDeciding) return;
    this.#isDeciding = true;
    this.#nextTurn(() => this.#decide());
  }

  refuse({ priority, refuse }: Entrant): void {
    this.#refused.set(priority, this.#refused.get(priority)! + 1);
    // With jitter: clients that all come back in the same second would be refused again.
    refuse(gatewayErrors.SATURATED({ retryAfterMs: limits.retryAfterMs * (0.5 + Math.random()) }));
  }

  leaveAddress(address: string): void {
    const left = this.#byAddress.get(address)! - 1;
    if (left > 0) this.#byAddress.set(address, left);
    else this.#byAddress.delete(address);
  }

  #shareOf(service: string, now: number): Share {
    let share = this.#shares.get(service);
    if (!share) {
      this.#shares.set(service, (share = new Share(service, now)));
      this.#order = [...this.#shares.values()];
    }
    return share;
  }

  #decide(): void {
    this.#isDeciding = false;
    const now = this.#clock.monotonic();
    const isLong = this.#decidedAt !== undefined && now - this.#decidedAt > limits.longTurnMs;
    let left: number = isLong ? limits.beginsPerLongTurn : limits.beginsPerTurn;
    for (let at = 0; at < PRIORITIES.length && left > 0; at++)
      for (let begun = true; begun && left > 0;) {
        begun = false;
        for (const share of this.#order) {
          const turn = left > 0 ? share.take(at, now) : undefined;
          if (!turn) continue;
          begun = true;
          left--;
          turn.begin();
        }
      }
    for (const share of this.#order) share.refuseLate(now);
    // The service that came first is last the next time.
    if (this.#order.length > 1) this.#order.push(this.#order.shift()!);
    const goesOn = this.#order.some(share => share.waiting > 0 && share.hasRoom);
    this.#decidedAt = goesOn ? now : undefined;
    if (goesOn) this.decideSoon();
    else this.#lookAgain();
  }

  /** Requests that wait for a service that does not answer become late without any event. */
  #lookAgain(): void {
    if (this.#timer || !this.#order.some(({ waiting }) => waiting > 0)) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#decide();
    }, limits.lateLookMs);
    this.#timer.unref();
  }
}

/** The part of the gateway that one service may take: its queues, the most important first, and its calls at work. */
class Share {
  readonly service: string;
  readonly limit: ConcurrencyLimit;
  readonly #queues: Turn[][] = PRIORITIES.map(() => []);
  waiting = 0;
  atWork = 0;
  /** When the queues were last empty. */
  #emptyAt: number;

  constructor(service: string, now: number) {
    this.service = service;
    this.limit = new ConcurrencyLimit(now);
    this.#emptyAt = now;
  }

  get hasRoom(): boolean {
    return this.atWork < this.limit.value;
  }

  /** Into a full queue goes a request in place of the oldest of the least important, if that is no more important. */
  put(turn: Turn, now: number): void {
    if (this.waiting === 0) this.#emptyAt = now;
    const at = PRIORITIES.indexOf(turn.entrant.priority);
    if (this.waiting >= limits.waitingPerServiceMax) {
      const least = this.#queues.findLastIndex(queue => queue.length > 0);
      if (least < at) return turn.refuse();
      this.#remove(least, 0).refuse();
    }
    this.#queues[at]!.push(turn);
    this.waiting++;
  }

  refuseLate(now: number): void {
    if (this.waiting === 0) return;
    const isBurst = now - this.#emptyAt <= limits.burstMs;
    for (const [at, queue] of this.#queues.entries()) {
      const patienceMs = isBurst ? limits.burstMs : at === 0 ? limits.waitCriticalMs : limits.waitMs;
      while (queue.length > 0 && now - queue[0]!.arrivedAt > patienceMs) this.#remove(at, 0).refuse();
    }
  }

  /** The next request of this priority, if the service has room for one. */
  take(at: number, now: number): Turn | undefined {
    const queue = this.#queues[at]!;
    while (queue.length > 0 && this.hasRoom) {
      const isUnderPressure = now - queue[0]!.arrivedAt > limits.freshMs;
      const turn = this.#remove(at, isUnderPressure ? queue.length - 1 : 0);
      if (this.waiting === 0) this.#emptyAt = now;
      if (!turn.hasLeft) return turn;
    }
    return undefined;
  }

  #remove(at: number, index: number): Turn {
    const queue = this.#queues[at]!;
    this.waiting--;
    return (index === 0 ? queue.shift() : queue.pop())!;
  }
}

/** One request's turn: from its arrival until its answer is written, or its call is answered when the client has left. */
export class Turn {
  readonly entrant: Entrant;
  /** Monotonic milliseconds. */
  readonly arrivedAt: number;
  readonly #entrance: Entrance;
  readonly #share: Share;
  readonly #clock: Clock;
  #isCounted = false;
  #isAtWork = false;
  #hasEnded = false;
  #holdsAddress = true;
  #hasBegun = false;
  readonly #leave = (): void => {
    if (this.#hasBegun) this.entrant.leave();
    this.end();
  };

  constructor(entrance: Entrance, share: Share, entrant: Entrant, clock: Clock, now: number) {
    this.#entrance = entrance;
    this.#share = share;
    this.#clock = clock;
    this.entrant = entrant;
    this.arrivedAt = now;
    entrant.client.once("close", this.#leave);
  }

  get hasLeft(): boolean {
    return this.#hasEnded || this.entrant.client.destroyed;
  }

  begin(): void {
    if (this.entrant.counts()) this.#count();
    else this.#leaveAddress();
    this.#hasBegun = true;
    this.entrant.begin(this);
  }

  refuse(): void {
    if (this.hasLeft) return this.end();
    this.end();
    this.#entrance.refuse(this.entrant);
  }

  /**
   * Makes the request's call, and learns from how long its answer takes. Throws Unavailable `SATURATED` (outcome none)
   * when a request whose body was late finds the service's share taken.
   */
  async work<T>(call: () => Promise<T>): Promise<T> {
    const share = this.#share;
    if (!this.#isCounted) {
      if (share.atWork >= limits.callsPerServiceMax) throw gatewayErrors.SATURATED();
      this.#count();
    }
    this.#isAtWork = true;
    const beganAt = this.#clock.monotonic();
    const learn = (): void => {
      const now = this.#clock.monotonic();
      share.limit.answered(this.entrant.route, now - beganAt, share.atWork, now);
    };
    try {
      const answer = await call();
      learn();
      return answer;
    } catch (error) {
      const { type } = error as { type?: unknown };
      if (type === "TOO_MANY_CALLS") share.limit.refused();
      else if (type === "REQUEST_TIMEOUT") learn();
      throw error;
    } finally {
      this.#isAtWork = false;
      if (this.#hasEnded) this.#uncount();
    }
  }

  /** The answer is written, or the client has left. A call that is at work then still counts. */
  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.entrant.client.off("close", this.#leave);
    this.#leaveAddress();
    if (!this.#isAtWork) this.#uncount();
  }

  #count(): void {
    this.#isCounted = true;
    this.#share.atWork++;
  }

  #uncount(): void {
    if (!this.#isCounted) return;
    this.#isCounted = false;
    this.#share.atWork--;
    if (this.#share.waiting > 0) this.#entrance.decideSoon();
  }

  #leaveAddress(): void {
    if (!this.#holdsAddress) return;
    this.#holdsAddress = false;
    this.#entrance.leaveAddress(this.entrant.address);
  }
}
