// One cache for all nodes, in Redis.
//
// A clean must not be undone by an answer that was read before it, on any node. So the key of an entry contains how
// often its service (and the whole cache) has been cleaned. A clean increments one counter, however many entries there
// are; an answer that was read before it is stored under a key that no call reads, and expires.
//
// A call that misses takes a lock and fills the entry; others wait for it, on other nodes too. A call stores only while
// it still has its lock: after a restart without data Redis counts from zero again.
//
// The cache must never fail a call, or hold it for long: without Redis the handler answers, once for all concurrent
// calls.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Cachers, type Context, type ServiceBroker } from "moleculer";
import { redisOf, script, type RedisConnection } from "../../redis/index.ts";
import { countCached } from "./count.ts";
import { SingleFlight } from "./single-flight.ts";
import { limits } from "./limits.ts";

type Handler = (ctx: Context) => Promise<unknown>;

/** The entry's text, its key, and whether this call has got the lock. With a lock time of 0 no lock is taken. */
const LOOK = script<[text: string | null, at: string, locked: 0 | 1]>(`
  local cleaned = redis.call('mget', KEYS[1], KEYS[2])
  local at = ARGV[1] .. (cleaned[1] or 0) .. '.' .. (cleaned[2] or 0) .. ':' .. ARGV[2]
  local text = redis.call('get', at)
  local locked = not text and ARGV[4] ~= '0' and redis.call('set', at .. ':lock', ARGV[3], 'nx', 'px', ARGV[4])
  return { text, at, locked and 1 or 0 }`);

/** Gives the lock back. If it was still this call's, stores the text, unless that is empty. */
const FILL = script<0 | 1>(`
  if redis.call('get', KEYS[2]) ~= ARGV[1] then return 0 end
  redis.call('del', KEYS[2])
  if ARGV[2] ~= '' then redis.call('set', KEYS[1], ARGV[2], 'px', ARGV[3]) end
  return 1`);

export class RedisCacher extends Cachers.Redis {
  readonly #flight = new SingleFlight();
  /** Services whose clean has not reached Redis. Until it has, entries in Redis are not used here. */
  readonly #missed = new Set<string>();
  #redis!: RedisConnection;

  constructor() {
    super({ maxParamsLength: limits.keyCharsMax });
  }

  /** Moleculer's own `init` would open another connection, which queues commands and logs every attempt. */
  override init(broker: ServiceBroker): void {
    Cachers.Base.prototype.init.call(this, broker);
    this.#redis = redisOf(broker)!;
    this.prefix = `${this.#redis.prefix}cache:`;
    this.#redis.observe(isUp => void (isUp && this.#catchUp()));
  }

  /** The connection is the broker's, which closes it. */
  override async close(): Promise<void> {}

  override middlewareWithoutLock(ctx: Context, key: string, handler: Handler, { ttl }: { ttl?: number }) {
    return this.#flight.join(key, async () => {
      const entry = await this.#lookOrLock(key);
      countCached(ctx, entry.text !== undefined);
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
        // Not awaited: storing helps other calls, not this one.
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
  /** Not available: most keys belong to entries that were cleaned. */
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

  /** Cleans one service for a pattern such as `books.**`, and everything for any other pattern. */
  override async clean(match: string | string[] = "**"): Promise<void> {
    this.#flight.clean();
    await Promise.all([match].flat().map(pattern => this.#clean(/^([^*?]+)\.\*\*?$/.exec(pattern)?.[1] ?? "")));
  }

  /**
   * The entry; or a lock on it; or nothing when the wait is over or Redis is away, and the handler runs without
   * storing.
   */
  async #lookOrLock(key: string): Promise<{ text?: string; fill?: (text: string, ttl?: number) => Promise<unknown> }> {
    const token = randomUUID();
    for (const end = performance.now() + limits.waitMs; performance.now() < end; await sleep(limits.lookMs)) {
      const found = await this.#look(key, token, limits.fillMs);
      if (!found) return {};
      const { text, at, locked } = found;
      if (text !== undefined) return { text };
      if (locked)
        return {
          fill: (answer, ttl) => this.#send(client => FILL(client, [at, `${at}:lock`], [token, answer, ttlMs(ttl)])),
        };
    }
    return {};
  }

  /** Undefined without Redis, and while a clean has not reached it. */
  async #look(key: string, token: string, lockMs: number) {
    await this.#catchUp();
    if (this.#missed.size > 0) return undefined;
    // The key `v1.books.get:"mug"` belongs to the service `v1.books`.
    const service = key.split(":", 1)[0]!.replace(/\.[^.]*$/, "");
    const keys = [this.#cleansOf(""), this.#cleansOf(service)];
    const found = await this.#send(client => LOOK(client, keys, [this.prefix!, key, token, lockMs]));
    return found && { text: found[0] ?? undefined, at: found[1], locked: found[2] === 1 };
  }

  async #clean(service: string): Promise<void> {
    // Noted first: a call that comes meanwhile must not get an entry that is about to be cleaned.
    this.#missed.add(service);
    if ((await this.#send(client => client.incr(this.#cleansOf(service)))) !== undefined) this.#missed.delete(service);
    // Noted again: another clean of the service, begun earlier, may have succeeded meanwhile and removed the note.
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
