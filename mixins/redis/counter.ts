// Counts in fixed windows, to limit how often something may be done. A count covers all processes: Redis holds it; a
// process that counts alone takes its own count for its share.
import type { Clock } from "../kernel/index.ts";
import type { RedisConnection } from "./connection.ts";
import { script } from "./script.ts";

export interface Counter {
  /** The count of the current window, and the milliseconds that are left of it; 0 when there is none. */
  read(key: string): Promise<Count>;
  /** Counts one more; the first opens the window. */
  add(key: string): Promise<Count>;
  /** Takes one back, of a window that is still open. */
  giveBack(key: string): Promise<void>;
  /** Closes the window. */
  clear(key: string): Promise<void>;
}
export interface Count {
  readonly count: number;
  /** Milliseconds. */
  readonly endsInMs: number;
}

const NONE: Count = { count: 0, endsInMs: 0 };

export interface MemoryCounterOptions {
  readonly windowMs: number;
  /** Keys remembered; the oldest windows are forgotten first. */
  readonly keysMax: number;
  /** Processes that count side by side, each its share. Default 1. */
  readonly processes?: number;
  readonly clock: Clock;
}

export class MemoryCounter implements Counter {
  readonly #options: Required<MemoryCounterOptions>;
  readonly #windows = new Map<string, { count: number; readonly until: number }>();

  constructor(options: MemoryCounterOptions) {
    this.#options = { processes: 1, ...options };
  }

  async read(key: string): Promise<Count> {
    const window = this.#windows.get(key);
    const endsInMs = window ? window.until - this.#options.clock.monotonic() : 0;
    return window && endsInMs > 0 ? this.#countOf(window, endsInMs) : NONE;
  }

  async add(key: string): Promise<Count> {
    return this.count(key);
  }

  /** As `add`, at once. */
  count(key: string): Count {
    const { clock, windowMs, keysMax } = this.#options;
    const now = clock.monotonic();
    const open = this.#windows.get(key);
    if (open && open.until > now) {
      open.count++;
      return this.#countOf(open, open.until - now);
    }
    // The newest at the end, so that the first is the oldest.
    this.#windows.delete(key);
    const window = { count: 1, until: now + windowMs };
    this.#windows.set(key, window);
    if (this.#windows.size > keysMax) this.#windows.delete(this.#windows.keys().next().value!);
    // Not a difference: in floating point it may be more, and a client would be told one second too many.
    return this.#countOf(window, windowMs);
  }

  #countOf({ count }: { readonly count: number }, endsInMs: number): Count {
    return { count: count * this.#options.processes, endsInMs };
  }

  async giveBack(key: string): Promise<void> {
    const window = this.#windows.get(key);
    if (window && window.count > 0) window.count--;
  }

  async clear(key: string): Promise<void> {
    this.#windows.delete(key);
  }
}

const READ = script<[count: number, endsInMs: number]>(`
  return { tonumber(redis.call('get', KEYS[1]) or 0), math.max(redis.call('pttl', KEYS[1]), 0) }`);
const ADD = script<[count: number, endsInMs: number]>(`
  local count = redis.call('incr', KEYS[1])
  if redis.call('pttl', KEYS[1]) < 0 then redis.call('pexpire', KEYS[1], ARGV[1]) end
  return { count, redis.call('pttl', KEYS[1]) }`);

const GIVE_BACK = script<number>(`
  if tonumber(redis.call('get', KEYS[1]) or 0) > 0 then return redis.call('decr', KEYS[1]) end
  return 0`);

export class RedisCounter implements Counter {
  readonly #redis: RedisConnection;
  readonly #name: string;
  readonly #windowMs: number;

  /** Counters of one name count together, wherever they are. */
  constructor(redis: RedisConnection, name: string, windowMs: number) {
    this.#redis = redis;
    this.#name = name;
    this.#windowMs = windowMs;
  }

  async read(key: string): Promise<Count> {
    const [count, endsInMs] = await this.#redis.run(client => READ(client, [this.#keyOf(key)], []));
    return { count, endsInMs };
  }

  async add(key: string): Promise<Count> {
    const [count, endsInMs] = await this.#redis.run(client => ADD(client, [this.#keyOf(key)], [this.#windowMs]));
    return { count, endsInMs };
  }

  async giveBack(key: string): Promise<void> {
    await this.#redis.run(client => GIVE_BACK(client, [this.#keyOf(key)], []));
  }

  async clear(key: string): Promise<void> {
    await this.#redis.run(client => client.del(this.#keyOf(key)));
  }

  #keyOf(key: string): string {
    return `${this.#redis.prefix}count:${this.#name}:${key}`;
  }
}

/** Counts in the first; while that fails, in the second. An outage of Redis must not refuse requests. */
export function fallingBack(first: Counter, second: Counter): Counter {
  const either = <T>(use: (counter: Counter) => Promise<T>): Promise<T> => use(first).catch(() => use(second));
  return {
    read: key => either(counter => counter.read(key)),
    add: key => either(counter => counter.add(key)),
    giveBack: key => either(counter => counter.giveBack(key)),
    clear: key => either(counter => counter.clear(key)),
  };
}
