// The queue in front of the router. Node parses every request that has arrived before it runs anything else, and a handler
// that works at once cannot know how many there are: under three times the load that it can bear it answers all of them, each
// too late. Here a request that arrives is only put into a queue. Then, once a turn of the loop:
//
//   1. a few are begun           the most important first; each service in its turn; the newest first once some are refused and
//                                the oldest has waited long, since that one's client may have given up. A client that has
//                                left is dropped
//   2. late ones are refused     503 with a jittered Retry-After, before log-in, body and router. None is refused before it
//                                was passed over: after a pause of the process all would be late
//
// How long a request may wait follows CoDel: a burst may wait half a second, but once a queue has not been empty for that
// long it is no burst, and from then on nobody waits longer than 50 ms. At three times the capacity a gateway without the queue
// gave 0 good answers a second, with it more than 80 % of the capacity (`overload.test.ts`).
//
// Each service has a queue and a limit of calls of its own (`concurrency-limit.ts`), at most half of all places: a service
// that hangs fills its own share, and the others go on.
import type { Clock } from "../../kernel/index.ts";
import { gatewayErrors } from "../errors.ts";
import { limits } from "../limits.ts";
import { ConcurrencyLimit } from "./concurrency-limit.ts";
import { PRIORITIES, type Priority } from "./priority.ts";
import { RequestCost, threadCpuMs } from "./request-cost.ts";
import { Share } from "./share.ts";
import { Turn, type Entrant } from "./turn.ts";

export interface EntranceOptions {
  readonly clock: Clock;
  /** Measures how long requests wait (`loop-clock.ts`). */
  readonly waits: Pick<Clock, "monotonic">;
  /** Calls back in the next turn of the event loop, after it has read its sockets. Default `setImmediate`. */
  readonly nextTurn?: (decide: () => void) => void;
  /** Milliseconds of processor time that this thread has used. Default: what the system says. */
  readonly cpuMs?: () => number;
}

export class Entrance {
  readonly #clock: Clock;
  readonly #waits: Pick<Clock, "monotonic">;
  readonly #nextTurn: (decide: () => void) => void;
  readonly #cost: RequestCost;
  readonly #shares = new Map<string, Share>();
  #order: Share[] = [];
  readonly #byAddress = new Map<string, number>();
  readonly #refused = new Map<Priority, number>(PRIORITIES.map(priority => [priority, 0]));
  #isDeciding = false;
  /** When the last turn of the loop was decided about, if requests were left for the next one. */
  #decidedAt: number | undefined;
  /** Requests that were begun then. */
  #begun = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor({ clock, waits, nextTurn = setImmediate, cpuMs = threadCpuMs }: EntranceOptions) {
    this.#clock = clock;
    this.#waits = waits;
    this.#nextTurn = nextTurn;
    this.#cost = new RequestCost(cpuMs);
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
    const now = this.#waits.monotonic();
    const share = this.#shareOf(entrant.service);
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

  #shareOf(service: string): Share {
    let share = this.#shares.get(service);
    if (!share) {
      this.#shares.set(service, (share = new Share(service, new ConcurrencyLimit(this.#clock.monotonic()))));
      this.#order = [...this.#shares.values()];
    }
    return share;
  }

  #decide(): void {
    this.#isDeciding = false;
    const now = this.#waits.monotonic();
    const at = this.#clock.monotonic();
    const tookMs = this.#decidedAt === undefined ? 0 : at - this.#decidedAt;
    const isLong = tookMs > limits.longTurnMs && tookMs <= this.#begun * limits.requestMsMax;
    if (this.#decidedAt !== undefined) this.#cost.turnEnded(this.#begun);
    const most = isLong ? this.#cost.affordable : limits.beginsPerTurn;
    let left = most;
    for (let priority = 0; priority < PRIORITIES.length && left > 0; priority++)
      for (let begun = true; begun && left > 0;) {
        begun = false;
        for (const share of this.#order) {
          const turn = left > 0 ? share.take(priority, now) : undefined;
          if (!turn) continue;
          begun = true;
          left--;
          turn.begin();
        }
      }
    this.#begun = most - left;
    for (const share of this.#order) share.refuseLate(now);
    // The service that came first is last the next time.
    if (this.#order.length > 1) this.#order.push(this.#order.shift()!);
    const goesOn = this.#order.some(share => share.waiting > 0 && share.hasRoom);
    if (goesOn && this.#decidedAt === undefined) this.#cost.turnEnded();
    this.#decidedAt = goesOn ? at : undefined;
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
