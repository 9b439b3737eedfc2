// Counts the requests of one policy, by key, in fixed windows. With Redis all gateways count together, by
// rate-limiter-flexible. Without it, or while it is away or frozen, each counts in memory, and allows its share: the limit
// divided by the number of gateways.
//
// Two things that the package leaves open are closed here. Its memory never forgets a key before its time (400 bytes and
// a timer for each: 40 MB for 100,000 addresses), so that memory is our own bounded counter. And it asks a frozen server
// again for each request: after one answer that did not come we ask once a second, and the other requests do not wait.
import type { Redis } from "ioredis";
import { RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";
import type { Clock } from "../../kernel/index.ts";
import { MemoryCounter } from "../../redis/index.ts";
import { limits } from "../limits.ts";
import type { Policy } from "./rate-class.ts";

/** The rest of one policy after a request. */
export interface Spent {
  readonly policy: Policy;
  /** Whether the request was within the limit. */
  readonly isWithin: boolean;
  /** Requests left in this window. */
  readonly left: number;
  /** Milliseconds until the window ends. */
  readonly endsInMs: number;
}

/** The Redis server of all windows, and whether it is worth asking. */
export class SharedCounts {
  readonly client: Redis;
  readonly prefix: string;
  readonly #clock: Clock;
  #askAgainAt = -Infinity;
  #misses = 0;

  constructor(client: Redis, prefix: string, clock: Clock) {
    this.client = client;
    this.prefix = prefix;
    this.#clock = clock;
  }

  /** Questions that got no answer in time since the start. */
  get misses(): number {
    return this.#misses;
  }

  /** The answer, undefined when the server has none in time. After that, one question a second is asked. */
  async ask<T>(question: () => Promise<T>): Promise<T | undefined> {
    const now = this.#clock.monotonic();
    if (this.client.status !== "ready" || now < this.#askAgainAt) return undefined;
    // Until this one is answered, a server that was away is asked no other question.
    if (this.#askAgainAt !== -Infinity) this.#askAgainAt = now + limits.sharedCountsPauseMs;
    try {
      const answer = await inTime(question());
      this.#askAgainAt = -Infinity;
      return answer;
    } catch {
      this.#misses++;
      this.#askAgainAt = this.#clock.monotonic() + limits.sharedCountsPauseMs;
      return undefined;
    }
  }
}

/** Rejects without an answer in time. After a busy moment of this process the answer may wait unread: it is read first. */
function inTime<T>(answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(new Error(`no answer in ${limits.sharedCountsAnswerMs} ms`));
    const timer = setTimeout(() => setImmediate(giveUp), limits.sharedCountsAnswerMs);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

export interface WindowOptions {
  readonly policy: Policy;
  /** Policies of one name and namespace count together, in all gateways. */
  readonly name: string;
  readonly shared: SharedCounts | undefined;
  /** The number of gateways that run now. */
  readonly gateways: () => number;
  readonly clock: Clock;
}

export class Window {
  readonly policy: Policy;
  readonly #shared: SharedCounts | undefined;
  readonly #limiter: RateLimiterRedis | undefined;
  readonly #memory: MemoryCounter;
  /** Ends of the windows that Redis says are used up, by key: until then nobody asks it. The oldest first. */
  readonly #usedUp = new Map<string, number>();
  readonly #gateways: () => number;
  readonly #clock: Clock;

  constructor({ policy, name, shared, gateways, clock }: WindowOptions) {
    this.policy = policy;
    this.#shared = shared;
    this.#gateways = gateways;
    this.#clock = clock;
    this.#memory = new MemoryCounter({
      windowMs: policy.windowSeconds * 1_000,
      keysMax: limits.countedKeysMax,
      clock,
    });
    this.#limiter =
      shared &&
      new RateLimiterRedis({
        storeClient: shared.client,
        keyPrefix: `${shared.prefix}rate:${name}`,
        points: policy.quota,
        duration: policy.windowSeconds,
      });
  }

  /** What a request of the key would get, when this gateway knows without asking that its window is used up. Counts none. */
  usedUp(key: string): Spent | undefined {
    const endsAt = this.#usedUp.get(key);
    if (endsAt === undefined) return undefined;
    const endsInMs = endsAt - this.#clock.monotonic();
    if (endsInMs > 0) return { policy: this.policy, isWithin: false, left: 0, endsInMs };
    this.#usedUp.delete(key);
    return undefined;
  }

  /** Counts one request of the key: at once in memory, else when Redis has answered. */
  spend(key: string): Spent | Promise<Spent> {
    const known = this.usedUp(key);
    if (known) return known;
    const limiter = this.#limiter;
    if (!limiter) return this.#remembered(key, this.#spendAlone(key));
    return this.#spendShared(key, limiter).then(spent => this.#remembered(key, spent ?? this.#spendAlone(key)));
  }

  #remembered(key: string, spent: Spent): Spent {
    if (spent.left === 0) this.#remember(key, spent.endsInMs);
    return spent;
  }

  async #spendShared(key: string, limiter: RateLimiterRedis): Promise<Spent | undefined> {
    const counted = await this.#shared!.ask(() => limiter.consume(key).catch(refusedOrAway));
    if (!counted) return undefined;
    const { consumedPoints, remainingPoints, msBeforeNext } = counted;
    const isWithin = consumedPoints <= this.policy.quota;
    return { policy: this.policy, isWithin, left: remainingPoints, endsInMs: msBeforeNext };
  }

  #spendAlone(key: string): Spent {
    const { count, endsInMs } = this.#memory.count(key);
    const share = Math.max(1, Math.floor(this.policy.quota / this.#gateways()));
    return { policy: this.policy, isWithin: count <= share, left: Math.max(0, share - count), endsInMs };
  }

  #remember(key: string, endsInMs: number): void {
    this.#usedUp.delete(key);
    this.#usedUp.set(key, this.#clock.monotonic() + endsInMs);
    if (this.#usedUp.size > limits.countedKeysMax) this.#usedUp.delete(this.#usedUp.keys().next().value!);
  }
}

/** The package throws its result when the limit is used up, and an Error when the server failed. */
function refusedOrAway(thrown: unknown): RateLimiterRes {
  if (thrown instanceof RateLimiterRes) return thrown;
  throw thrown;
}
