// Sessions in Redis. A token consists of the name of its family (16 bytes) and a secret part (16 bytes). One key holds
// all that a family needs, however often it was refreshed: the hash of the token that must come next. Tokens used in
// the last moments are remembered beside it; any other token of the family was used longer ago.
//
// So whoever knows the name of a family can end it, as the holder of a used token must be able to. Therefore the name is
// known only to those who have held a token; the id that people and access tokens see is its SHA-1, and from that nobody
// makes a name of 128 random bits. Nodes of the release before show the name as the id: it is understood too.
//
//   session:<family>        user, secret, device and address, the next token's hash and its end; expires with it
//   session:<family>:used   hashes of used tokens by the time of their use; the last moments only
//   sessions:<user>         the user's families by the time of their last use
//
// Each step is one script, by the server's clock: a token may be used at one node and again at another. Each step may
// be repeated, so a lost reply is answered with outcome "none": a repeated log-in leaves one session without an owner,
// a repeated refresh gives the same token.
import { hash } from "node:crypto";
import { script, type RedisConnection } from "../redis/index.ts";
import { limits } from "./limits.ts";
import { hashOf, randomText, successorOf } from "./refresh-token.ts";
import type { Client, Opened, OpenSession, SessionStore, Use } from "./session-store.ts";

const FAMILY_BYTES = 16;
const TOKEN_BYTES = 32;

/** Milliseconds since the epoch, unless a test gives `now`. */
export const NOW = `
  if now == '' then
    local time = redis.call('time')
    now = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
  end`;

const OPEN = script(`
  local prefix, family, user, secret, next, now, life, max, device, address = unpack(ARGV)${NOW}
  for _, other in ipairs(redis.call('zrange', KEYS[1], 0, -1)) do
    if redis.call('exists', prefix .. other) == 0 then redis.call('zrem', KEYS[1], other) end
  end
  for _, oldest in ipairs(redis.call('zrange', KEYS[1], 0, -max)) do
    redis.call('del', prefix .. oldest, prefix .. oldest .. ':used')
    redis.call('zrem', KEYS[1], oldest)
  end
  redis.call('zadd', KEYS[1], now, family)
  redis.call('pexpire', KEYS[1], life)
  redis.call('hset', prefix .. family, 'user', user, 'secret', secret, 'next', next, 'ends', now + life,
    'createdAt', now, 'device', device, 'address', address)
  redis.call('pexpire', prefix .. family, life)`);

/**
 * 1: a successor is the next token; 0: there is none; 2: nor will there be. A token that is neither next nor just used
 * ends its family.
 */
const ROTATE = script<0 | 1 | 2>(`
  local family, token, successor, now, life, reuse, address = unpack(ARGV)${NOW}
  local next, ends = unpack(redis.call('hmget', KEYS[1], 'next', 'ends'))
  if not next or tonumber(ends) <= tonumber(now) then return 0 end
  if token == next then
    redis.call('hset', KEYS[1], 'next', successor, 'ends', now + life)
    if address ~= '' then redis.call('hset', KEYS[1], 'address', address) end
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
  return 2`);

/** For each of the user's families, in the order of their last use: name, createdAt, ends, device, address. */
const LIST = script<(string | null)[][]>(`
  local prefix, now = unpack(ARGV)${NOW}
  local found = {}
  for _, family in ipairs(redis.call('zrevrange', KEYS[1], 0, -1)) do
    local fields = redis.call('hmget', prefix .. family, 'createdAt', 'ends', 'device', 'address')
    if fields[2] and tonumber(fields[2]) > tonumber(now) then
      table.insert(found, { family, fields[1], fields[2], fields[3], fields[4] })
    end
  end
  return found`);

/** Whether an id is that of a family, as `idOf` makes it. */
const IS_ID = `
  local function isId(id, family) return id == family or id == redis.sha1hex(family) end`;

/** Ends one family of the user, or with `one` empty all but `except`; answers how many. */
const END = script<number>(`
  local prefix, one, except = unpack(ARGV)${IS_ID}
  local ended = 0
  for _, family in ipairs(redis.call('zrange', KEYS[1], 0, -1)) do
    if (one == '' or isId(one, family)) and not isId(except, family) then
      ended = ended + redis.call('del', prefix .. family)
      redis.call('del', prefix .. family .. ':used')
      redis.call('zrem', KEYS[1], family)
    end
  end
  return ended`);

/** Whether the user has the session. */
const HAS = script<0 | 1>(`
  local prefix, session = unpack(ARGV)${IS_ID}
  for _, family in ipairs(redis.call('zrange', KEYS[1], 0, -1)) do
    if isId(session, family) then return redis.call('exists', prefix .. family) end
  end
  return 0`);

export class RedisSessions implements SessionStore {
  readonly #redis: RedisConnection;
  readonly #now: () => number | "";
  /** `now`: milliseconds since the epoch, for tests. Default: on the server's clock. */
  constructor(redis: RedisConnection, now: () => number | "" = () => "") {
    this.#redis = redis;
    this.#now = now;
  }

  async open(user: string, { device = "", address = "" }: Client = {}): Promise<Opened> {
    const family = randomText(FAMILY_BYTES);
    const token = tokenOf(family, Buffer.from(randomText(TOKEN_BYTES - FAMILY_BYTES), "base64url"));
    const { refreshTokenMs, sessionsPerUserMax } = limits;
    const args = [this.#keyOf(""), family, user, randomText(32), hashOf(token), this.#now(), refreshTokenMs];
    const all = [...args, sessionsPerUserMax, device, address];
    await this.#redis.run(client => OPEN(client, [this.#familiesOf(user)], all), "none");
    return { session: idOf(family), token };
  }

  async rotate(token: string, { address = "", onReuse }: Use = {}): Promise<(Opened & { user: string }) | undefined> {
    const name = familyOf(token);
    if (name === undefined) return undefined;
    const [family, session] = [this.#keyOf(name), idOf(name)];
    return this.#redis.run(async client => {
      // User and secret never change while the family exists; the script checks that it does.
      const [user, secret] = await client.hmget(family, "user", "secret");
      if (!user) return undefined;
      const successor = tokenOf(name, successorOf(token, secret!));
      const keys = [family, `${family}:used`, this.#familiesOf(user)];
      const { refreshTokenMs, refreshReuseMs } = limits;
      const args = [name, hashOf(token), hashOf(successor), this.#now(), refreshTokenMs, refreshReuseMs, address];
      const outcome = await ROTATE(client, keys, args);
      if (outcome === 2) onReuse?.({ user, session });
      return outcome === 1 ? { user, session, token: successor } : undefined;
    }, "none");
  }

  async has(user: string, session: string): Promise<boolean> {
    const args = [this.#keyOf(""), session];
    return (await this.#redis.run(client => HAS(client, [this.#familiesOf(user)], args), "none")) === 1;
  }

  async revoke(token: string): Promise<void> {
    const name = familyOf(token);
    if (name === undefined) return;
    const family = this.#keyOf(name);
    await this.#redis.run(client => client.del(family, `${family}:used`), "none");
  }

  async list(user: string): Promise<OpenSession[]> {
    const args = [this.#keyOf(""), this.#now()];
    const found = await this.#redis.run(client => LIST(client, [this.#familiesOf(user)], args), "none");
    return found.map(([family, createdAt, ends, device, address]) => {
      const lastUsedAt = Number(ends) - limits.refreshTokenMs;
      return {
        id: idOf(family!),
        device: device || undefined,
        address: address || undefined,
        // Absent in a session of the release before.
        createdAt: Number(createdAt ?? lastUsedAt),
        lastUsedAt,
      };
    });
  }

  async end(user: string, session: string): Promise<boolean> {
    return session !== "" && (await this.#end(user, session, "")) > 0;
  }

  async endAll(user: string, except = ""): Promise<void> {
    await this.#end(user, "", except);
  }

  #end(user: string, one: string, except: string): Promise<number> {
    const args = [this.#keyOf(""), one, except];
    return this.#redis.run(client => END(client, [this.#familiesOf(user)], args), "none");
  }

  #keyOf(family: string): string {
    return `${this.#redis.prefix}session:${family}`;
  }
  #familiesOf(user: string): string {
    return `${this.#redis.prefix}sessions:${user}`;
  }
}

/** The token of a family: its name, then the first bytes of `secret`. */
const tokenOf = (family: string, secret: Buffer): string =>
  Buffer.concat([Buffer.from(family, "base64url"), secret]).toString("base64url", 0, TOKEN_BYTES);

/** The id of a family, for people and access tokens. SHA-1 is the hash that Redis's scripts have. */
export const idOf = (family: string): string => hash("sha1", family);

/** The name of a token's family; undefined for text that is no token of ours. */
export function familyOf(token: string): string | undefined {
  const bytes = Buffer.from(token, "base64url");
  return bytes.length === TOKEN_BYTES ? bytes.toString("base64url", 0, FAMILY_BYTES) : undefined;
}
