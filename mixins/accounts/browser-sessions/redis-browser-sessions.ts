// Browser sessions in Redis, in the keys of the refresh tokens (`redis-sessions.ts`). The hash that comes next in a family is
// that of the cookie's value, and stays; the field `final` has the absolute end. Each step is one script, by the server's
// clock, and may be repeated.
import { script, type RedisConnection } from "../../redis/index.ts";
import { limits } from "../limits.ts";
import { familyOf, idOf, NOW } from "../redis-sessions.ts";
import type { Client, SessionStore } from "../session-store.ts";
import type { BrowserSessions, FoundSession, OpenedSession } from "./browser-sessions.ts";
import { isValue, sealed } from "./sealed.ts";

/** Answers the absolute end; 0 when the family has gone meanwhile. */
const SEAL = script<number>(`
  local hash, now, life = unpack(ARGV)${NOW}
  if redis.call('exists', KEYS[1]) == 0 then return 0 end
  redis.call('hset', KEYS[1], 'next', hash, 'final', now + life)
  return now + life`);

/** Answers the user and the absolute end; nothing when the session is unknown or over. */
const FIND = script<[string, string] | null>(`
  local family, hash, now, life, noted = unpack(ARGV)${NOW}
  local user, next, ends, final = unpack(redis.call('hmget', KEYS[1], 'user', 'next', 'ends', 'final'))
  if next ~= hash or not final then return false end
  if tonumber(ends) <= tonumber(now) or tonumber(final) <= tonumber(now) then return false end
  if now + life - ends >= tonumber(noted) then
    redis.call('hset', KEYS[1], 'ends', now + life)
    redis.call('pexpire', KEYS[1], life)
    redis.call('zadd', ARGV[6] .. user, 'XX', now, family)
    redis.call('pexpire', ARGV[6] .. user, life)
  end
  return { user, final }`);

const CLOSE = script<string | null>(`
  local user, next = unpack(redis.call('hmget', KEYS[1], 'user', 'next'))
  if next ~= ARGV[1] then return false end
  redis.call('del', KEYS[1], KEYS[1] .. ':used')
  return user`);

export class RedisBrowserSessions implements BrowserSessions {
  readonly #redis: RedisConnection;
  readonly #sessions: Pick<SessionStore, "open">;
  readonly #now: () => number | "";
  /** `now`: milliseconds since the epoch, for tests. Default: on the server's clock. */
  constructor(redis: RedisConnection, sessions: Pick<SessionStore, "open">, now: () => number | "" = () => "") {
    this.#redis = redis;
    this.#sessions = sessions;
    this.#now = now;
  }

  async open(user: string, client?: Client): Promise<OpenedSession> {
    // A refresh token that no client ever gets. A process that dies here leaves a session without an owner.
    const { token: value } = await this.#sessions.open(user, client);
    const key = this.#keyOf(familyOf(value)!);
    const args = [sealed(value), this.#now(), limits.browserSessionMs];
    const expiresAt = await this.#redis.run(client => SEAL(client, [key], args), "none");
    return { value, expiresAt };
  }

  async find(value: string): Promise<FoundSession | undefined> {
    const family = isValue(value) ? familyOf(value) : undefined;
    if (family === undefined) return undefined;
    const { refreshTokenMs, sessionUseNotedMs } = limits;
    const owned = `${this.#redis.prefix}sessions:`;
    const args = [family, sealed(value), this.#now(), refreshTokenMs, sessionUseNotedMs, owned];
    const found = await this.#redis.run(client => FIND(client, [this.#keyOf(family)], args), "none");
    return found ? { user: found[0], session: idOf(family), expiresAt: Number(found[1]) } : undefined;
  }

  async close(value: string): Promise<string | undefined> {
    const family = isValue(value) ? familyOf(value) : undefined;
    if (family === undefined) return undefined;
    const args = [sealed(value)];
    return (await this.#redis.run(client => CLOSE(client, [this.#keyOf(family)], args), "none")) ?? undefined;
  }

  #keyOf(family: string): string {
    return `${this.#redis.prefix}session:${family}`;
  }
}
