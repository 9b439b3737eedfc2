// Sessions in Redis. A token consists of the id of its family (16 bytes) and a secret part (16 bytes). One key holds
// all that a family needs, however often it was refreshed: the hash of the token that must come next. Tokens used in
// the last moments are remembered beside it; any other token of the family was used longer ago.
//
//   session:<family>        user, secret, the next token's hash and its end; expires with it
//   session:<family>:used   hashes of used tokens by the time of their use; the last moments only
//   sessions:<user>         the user's families by the time of their last use
//
// Each step is one script, by the server's clock: a token may be used at one node and again at another. Each step may
// be repeated, so a lost reply is answered with outcome "none": a repeated log-in leaves one session without an owner,
// a repeated refresh gives the same token.
import { script, type RedisConnection } from "../redis/index.ts";
import { limits } from "./limits.ts";
import { hashOf, randomText, successorOf } from "./refresh-token.ts";
import type { SessionStore } from "./session-store.ts";

const FAMILY_BYTES = 16;
const TOKEN_BYTES = 32;

/** Milliseconds since the epoch, unless a test gives `now`. */
export const NOW = `
  if now == '' then
    local time = redis.call('time')
    now = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
  end`;

const OPEN = script(`
  local prefix, family, user, secret, next, now, life, max = unpack(ARGV)${NOW}
  for _, other in ipairs(redis.call('zrange', KEYS[1], 0, -1)) do
    if redis.call('exists', prefix .. other) == 0 then redis.call('zrem', KEYS[1], other) end
  end
  for _, oldest in ipairs(redis.call('zrange', KEYS[1], 0, -max)) do
    redis.call('del', prefix .. oldest, prefix .. oldest .. ':used')
    redis.call('zrem', KEYS[1], oldest)
  end
  redis.call('zadd', KEYS[1], now, family)
  redis.call('pexpire', KEYS[1], life)
  redis.call('hset', prefix .. family, 'user', user, 'secret', secret, 'next', next, 'ends', now + life)
  redis.call('pexpire', prefix .. family, life)`);

/** 1: a successor is the next token; 0: there is none. A token that is neither next nor just used ends its family. */
const ROTATE = script<0 | 1>(`
  local family, token, successor, now, life, reuse = unpack(ARGV)${NOW}
  local next, ends = unpack(redis.call('hmget', KEYS[1], 'next', 'ends'))
  if not next or tonumber(ends) <= tonumber(now) then return 0 end
  if token == next then
    redis.call('hset', KEYS[1], 'next', successor, 'ends', now + life)
    redis.call('pexpire', KEYS[1], life)
    redis.call('zadd', KEYS[3], 'XX', now, family)
    redis.call('pexpire', KEYS[3], life)
    redis.call('zremrangebyscore', KEYS[2], '-inf', now - reuse)
    redis.call('zadd', KEYS[2], now, token)
    redis.call('pexpire', KEYS[2], reuse)
    return 1
  end
  local used = redis.call('zscore', KEYS[2], token)
  if used and now - used < tonumber(reuse) then return 1 end
  redis.call('del', KEYS[1], KEYS[2])
  return 0`);

export class RedisSessions implements SessionStore {
  readonly #redis: RedisConnection;
  readonly #now: () => number | "";
  /** `now`: milliseconds since the epoch, for tests. Default: on the server's clock. */
  constructor(redis: RedisConnection, now: () => number | "" = () => "") {
    this.#redis = redis;
    this.#now = now;
  }

  async open(user: string): Promise<string> {
    const id = randomText(FAMILY_BYTES);
    const token = tokenOf(id, Buffer.from(randomText(TOKEN_BYTES - FAMILY_BYTES), "base64url"));
    const { refreshTokenMs, sessionsPerUserMax } = limits;
    const args = [this.#keyOf(""), id, user, randomText(32), hashOf(token), this.#now(), refreshTokenMs];
    await this.#redis.run(client => OPEN(client, [this.#familiesOf(user)], [...args, sessionsPerUserMax]), "none");
    return token;
  }

  async rotate(token: string): Promise<{ user: string; token: string } | undefined> {
    const id = familyOf(token);
    if (id === undefined) return undefined;
    const family = this.#keyOf(id);
    return this.#redis.run(async client => {
      // User and secret never change while the family exists; the script checks that it does.
      const [user, secret] = await client.hmget(family, "user", "secret");
      if (!user) return undefined;
      const successor = tokenOf(id, successorOf(token, secret!));
      const keys = [family, `${family}:used`, this.#familiesOf(user)];
      const { refreshTokenMs, refreshReuseMs } = limits;
      const args = [id, hashOf(token), hashOf(successor), this.#now(), refreshTokenMs, refreshReuseMs];
      return (await ROTATE(client, keys, args)) === 1 ? { user, token: successor } : undefined;
    }, "none");
  }

  async revoke(token: string): Promise<void> {
    const id = familyOf(token);
    if (id === undefined) return;
    const family = this.#keyOf(id);
    await this.#redis.run(client => client.del(family, `${family}:used`), "none");
  }

  #keyOf(family: string): string {
    return `${this.#redis.prefix}session:${family}`;
  }
  #familiesOf(user: string): string {
    return `${this.#redis.prefix}sessions:${user}`;
  }
}

/** The token of a family: its id, then the first bytes of `secret`. */
const tokenOf = (family: string, secret: Buffer): string =>
  Buffer.concat([Buffer.from(family, "base64url"), secret]).toString("base64url", 0, TOKEN_BYTES);

/** Undefined for text that is no token of ours. */
export function familyOf(token: string): string | undefined {
  const bytes = Buffer.from(token, "base64url");
  return bytes.length === TOKEN_BYTES ? bytes.toString("base64url", 0, FAMILY_BYTES) : undefined;
}
