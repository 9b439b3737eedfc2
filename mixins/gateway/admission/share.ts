// One service's part of the gateway: the requests that wait for it, by priority, and the number of its calls at work. How long
// a request may wait, and which one is next, is decided here; when, in `entrance.ts`.
import { limits } from "../limits.ts";
import type { ConcurrencyLimit } from "./concurrency-limit.ts";
import { PRIORITIES } from "./priority.ts";
import type { Turn } from "./turn.ts";

/** The part of the gateway that one service may take: its queues, the most important first, and its calls at work. */
export class Share {
  readonly service: string;
  readonly limit: ConcurrencyLimit;
  readonly #queues: Turn[][] = PRIORITIES.map(() => []);
  waiting = 0;
  atWork = 0;
  /** When the queues were last empty, and when a request was last refused for having waited too long. */
  #emptyAt = 0;
  #refusedAt = -Infinity;

  constructor(service: string, limit: ConcurrencyLimit) {
    this.service = service;
    this.limit = limit;
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
      while (queue.length > 0 && now - queue[0]!.queuedAt > patienceMs) {
        this.#refusedAt = now;
        this.#remove(at, 0).refuse();
      }
    }
  }

  /**
   * The next request of this priority, if the service has room for one. The newest goes first while not all can be answered: some
   * were refused just now, and the oldest has waited for long. Where all are answered the oldest goes first, or it would
   * never be begun, though there is time for it.
   */
  take(at: number, now: number): Turn | undefined {
    const queue = this.#queues[at]!;
    while (queue.length > 0 && this.hasRoom) {
      const isUnderPressure = now - this.#refusedAt < limits.pressureMs && now - queue[0]!.queuedAt > limits.freshMs;
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
