// One cache for all nodes, in Redis.
//
// A clean must not be undone by an answer that was read before it, on whatever node. So the key of an entry carries how
// often its service (and everything) has been cleaned: a clean counts one up, in one step however many entries there are,
// and what began before it is stored where nobody looks, until it expires.
//
// Whoever misses takes a lock and fills the entry; the others wait for it, on other nodes too. Only who still has its lock
// stores: a server that was restarted empty begins to count at none again.
//
// Nothing of this may fail a call, or hold it for long: without Redis the handler answers, once for all who ask together.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Cachers, type Context, type ServiceBroker } from "moleculer";
import { redisOf, script, type RedisConnection } from "../../redis/index.ts";
import { Flights } from "./flights.ts";
import { limits } from "./limits.ts";

type Handler = (ctx: Context) => Promise<unknown>;

/** The entry's text; else where it belongs, and whether the lock is ours. Without a time for the lock none is taken. */
const LOOK = script<[text: string | null, at: string, locked: 0 | 1]>(`
  local cleaned = redis.call('mget', KEYS[1], KEYS[2])
  local at = ARGV[1] .. (cleaned[1] or 0) .. '.' .. (cleaned[2] or 0) .. ':' .. ARGV[2]
  local text = redis.call('get', at)
  local locked = not text and ARGV[4] ~= '0' and redis.call('set', at .. ':lock', ARGV[3], 'nx', 'px', ARGV[4])
  return { text, at, locked and 1 or 0 }`);

/** Gives the lock back; stores the text, unless there is none, if the lock was still ours. */
const FILL = script<0 | 1>(`
  if redis.call('get', KEYS[2]) ~= ARGV[1] then return 0 end
  redis.call('del', KEYS[2])
  if ARGV[2] ~= '' then redis.call('set', KEYS[1], ARGV[2], 'px', ARGV[3]) end
  return 1`);

export class RedisCacher extends Cachers.Redis {
  readonly #flights = new Flights();
  /** What was to be cleaned and could not be. Until it is, what lies in Redis must not be trusted here. */
  readonly #missed = new Set<string>();
  #redis!: RedisConnection;

  constructor() {
    super({ maxParamsLength: limits.keyCharsMax });
  }

  /** Moleculer's own `init` would make a connection of its own, that queues commands and logs every attempt. */
  override init(broker: ServiceBroker): void {
    Cachers.Base.prototype.init.call(this, broker);
    this.#redis = redisOf(broker)!;
    this.prefix = `${this.#redis.prefix}cache:`;
    this.#redis.observe(isUp => void (isUp && this.#catchUp()));
  }

  /** The connection is the broker's. */
  override async close(): Promise<void> {}

  override middlewareWithoutLock(ctx: Context, key: string, handler: Handler, { ttl }: { ttl?: number }) {
    return this.#flights.join(key, async () => {
      const entry = await this.#lookOrLock(key);
      if (entry.text !== undefined) {
        ctx.cachedResult = true;
        return JSON.parse(entry.text);
      }
      let text = "";
      try {
        const answer = await handler(ctx);
        text = JSON.stringify(answer) ?? "";
        return answer;
      } finally {
        // Not waited for: it only serves others.
        void entry.fill?.(text, ttl);
      }
    });
  }
  override middlewareWithLock(ctx: Context, key: string, handler: Handler, opts: { ttl?: number }) {
    return this.middlewareWithoutLock(ctx, key, handler, opts);
  }

  override async get(key: string): Promise<any> {
    const found = await this.#look(key, "", 0);
    return found?.text === undefined ? undefined : JSON.parse(found.text);
  }

  override async getWithTTL(key: string): Promise<any> {
    return { data: await this.get(key), ttl: null };
  }
  /** Not available: most keys are of entries that were cleaned. */
  override getCacheKeys(): Promise<any[]> {
    return Cachers.Base.prototype.getCacheKeys.call(this);
  }

  override async set(key: string, data: unknown, ttl?: number): Promise<void> {
    const found = await this.#look(key, "", 0);
    if (found) await this.#send(client => client.set(found.at, JSON.stringify(data), "PX", ttlMs(ttl)));
  }

  override async del(key: string | string[]): Promise<void> {
    for (const one of [key].flat()) {
      const found = await this.#look(one, "", 0);
      if (found) await this.#send(client => client.del(found.at));
    }
  }

  /** Of one service (`books.**`), else everything: rather too much than too little. */
  override async clean(match: string | string[] = "**"): Promise<void> {
    this.#flights.clean();
    await Promise.all([match].flat().map(pattern => this.#clean(/^([^*?]+)\.\*\*?$/.exec(pattern)?.[1] ?? "")));
  }

  /** The entry; a lock on it, after others had the time to fill it; or nothing, when the handler is to answer by itself. */
  async #lookOrLock(key: string): Promise<{ text?: string; fill?: (text: string, ttl?: number) => Promise<unknown> }> {
    this.metrics.increment("moleculer.cacher.get.total");
    const token = randomUUID();
    for (const end = performance.now() + limits.waitMs; performance.now() < end; await sleep(limits.lookMs)) {
      const found = await this.#look(key, token, limits.fillMs);
      if (!found) return {};
      const { text, at, locked } = found;
      if (text !== undefined) {
        this.metrics.increment("moleculer.cacher.found.total");
        return { text };
      }
      if (locked)
        return {
          fill: (answer, ttl) => this.#send(client => FILL(client, [at, `${at}:lock`], [token, answer, ttlMs(ttl)])),
        };
    }
    return {};
  }

  /** Undefined without Redis, and while something that is to be cleaned cannot be. */
  async #look(key: string, token: string, lockMs: number) {
    await this.#catchUp();
    if (this.#missed.size > 0) return undefined;
    // `v1.books.get:"mug"` is of the service `v1.books`.
    const service = key.split(":", 1)[0]!.replace(/\.[^.]*$/, "");
    const keys = [this.#cleansOf(""), this.#cleansOf(service)];
    const found = await this.#send(client => LOOK(client, keys, [this.prefix!, key, token, lockMs]));
    return found && { text: found[0] ?? undefined, at: found[1], locked: found[2] === 1 };
  }

  async #clean(service: string): Promise<void> {
    // First, so that what is asked meanwhile is not answered by what is to go.
    this.#missed.add(service);
    if ((await this.#send(client => client.incr(this.#cleansOf(service)))) !== undefined) this.#missed.delete(service);
    // Another clean of it, that began before this one, may have succeeded meanwhile.
    else this.#missed.add(service);
  }

  async #catchUp(): Promise<void> {
    for (const service of this.#missed) await this.#clean(service);
  }

  #cleansOf(service: string): string {
    return `${this.prefix}cleans:${service}`;
  }

  /** Undefined when Redis is away. */
  async #send<T>(work: Parameters<typeof RedisConnection.prototype.run<T>>[0]): Promise<T | undefined> {
    try {
      return await this.#redis.run(work);
    } catch (error) {
      this.logger.debug("going on without the cache:", error);
      return undefined;
    }
  }
}

const ttlMs = (seconds: number | undefined): number => (seconds ?? limits.ttlSeconds) * 1_000;
