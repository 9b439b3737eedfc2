// Carts in Redis. Each change is one script, by the server's clock.
//
//   cart:<owner>           hash, a field a product: quantity, and when the line was added and last put (milliseconds)
//   cart-version:<owner>   counts the changes
//   cart-claims:<owner>    open claims, order ids by the time at which they took the cart
//   cart-claim:<order>     hash: owner, command, version, state, lines (those that left the cart, as HGETALL answers, in JSON)
import { conditionFailed } from "@valence/runtime/contract";
import { rfc3339 } from "@valence/runtime/kernel";
import { script, type RedisConnection } from "@valence/runtime/redis";
import type { CartStore } from "./cart-store.ts";

export const limits = {
  /** Milliseconds that a cart is kept after its last change, and a claim after the order took it: three months. */
  keptMs: 90 * 24 * 3_600_000,
} as const;

type Flat = string[];
/** Lines as HGETALL gives them, in the order in which they were added. */
function linesIn(flat: Flat) {
  const lines = Array.from({ length: flat.length / 2 }, (_, n) => {
    const [quantity, addedAt, updatedAt] = flat[2 * n + 1]!.split(" ").map(Number) as [number, number, number];
    return { productId: flat[2 * n]!, quantity, addedAt, updatedAt };
  });
  return lines.sort((a, b) => a.addedAt - b.addedAt || (a.productId < b.productId ? -1 : 1));
}
const itemsIn = (flat: Flat) => linesIn(flat).map(({ productId, quantity }) => ({ productId, quantity }));

const NOW = `
  local time = redis.call('time')
  local now = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))`;
const CHANGED = `
  local function changed(key, kept)
    redis.call('incr', key)
    redis.call('pexpire', key, kept)
  end`;

/** Answers `MOVED` unless the cart has the expected version; `''` expects none. */
const MOVED = 2;
const IN_TIME = `
  if version ~= '' and version ~= (redis.call('get', KEYS[2]) or '0') then return ${MOVED} end`;

const GET = script<[lines: Flat, version: string, claims: Flat, now: string]>(`${NOW}
  local claims = redis.call('zrange', KEYS[3], 0, -1, 'withscores')
  return { redis.call('hgetall', KEYS[1]), redis.call('get', KEYS[2]) or '0', claims, now }`);

const PUT = script<0 | 1 | typeof MOVED>(`${NOW}${CHANGED}
  local product, quantity, max, kept, version = unpack(ARGV)${IN_TIME}
  local old = redis.call('hget', KEYS[1], product)
  if not old and redis.call('hlen', KEYS[1]) >= tonumber(max) then return 0 end
  local added = old and string.match(old, ' (%d+) ') or now
  redis.call('hset', KEYS[1], product, quantity .. ' ' .. added .. ' ' .. now)
  redis.call('pexpire', KEYS[1], kept)
  changed(KEYS[2], kept)
  return 1`);

const REMOVE = script<null | typeof MOVED>(`${CHANGED}
  local version = ARGV[3]${IN_TIME}
  if redis.call('hdel', KEYS[1], ARGV[1]) == 1 then changed(KEYS[2], ARGV[2]) end`);

const CLEAR = script<null | typeof MOVED>(`${CHANGED}
  local version = ARGV[3]${IN_TIME}
  local lines = redis.call('hgetall', KEYS[1])
  local removed = 0
  for n = 1, #lines, 2 do
    local updated = string.match(lines[n + 1], '%d+$')
    if ARGV[1] == '' or tonumber(updated) <= tonumber(ARGV[1]) then
      removed = removed + redis.call('hdel', KEYS[1], lines[n])
    end
  end
  if removed > 0 then changed(KEYS[2], ARGV[2]) end`);

const TAKE = script<[version: string, lines: string]>(`${NOW}${CHANGED}
  local owner, order, command, kept = unpack(ARGV)
  local known = redis.call('hmget', KEYS[4], 'owner', 'command', 'state', 'version', 'lines')
  if known[1] and (known[2] == command or known[3] ~= 'returned') then
    return { known[4], known[1] == owner and known[2] == command and known[5] or '[]' }
  end
  local lines = redis.call('hgetall', KEYS[1])
  local version = redis.call('get', KEYS[2]) or '0'
  local text, state = '[]', 'returned'
  if #lines > 0 then
    text, state = cjson.encode(lines), 'open'
    redis.call('del', KEYS[1])
    changed(KEYS[2], kept)
    redis.call('zadd', KEYS[3], now, order)
    redis.call('pexpire', KEYS[3], kept)
  end
  redis.call('hset', KEYS[4], 'owner', owner, 'command', command, 'version', version, 'state', state, 'lines', text)
  redis.call('pexpire', KEYS[4], kept)
  return { version, text }`);

const SETTLE = script(`${NOW}${CHANGED}
  local prefix, order, outcome, linesMax, quantityMax, kept = unpack(ARGV)
  local owner, state, text = unpack(redis.call('hmget', KEYS[1], 'owner', 'state', 'lines'))
  if state ~= 'open' then return end
  redis.call('hset', KEYS[1], 'state', outcome, 'lines', '[]')
  redis.call('zrem', prefix .. 'cart-claims:' .. owner, order)
  if outcome == 'kept' then return end
  local cart = prefix .. 'cart:' .. owner
  local lines = cjson.decode(text)
  for n = 1, #lines, 2 do
    local quantity, added = string.match(lines[n + 1], '^(%d+) (%d+) ')
    local there = redis.call('hget', cart, lines[n])
    if there then
      local held, since = string.match(there, '^(%d+) (%d+) ')
      quantity, added = math.min(held + quantity, tonumber(quantityMax)), since
    end
    if there or redis.call('hlen', cart) < tonumber(linesMax) then
      redis.call('hset', cart, lines[n], quantity .. ' ' .. added .. ' ' .. now)
    end
  end
  redis.call('pexpire', cart, kept)
  changed(prefix .. 'cart-version:' .. owner, kept)`);

function inTime<T>(answer: T): T {
  if (answer === MOVED) throw conditionFailed();
  return answer;
}

export function redisCartStore(redis: RedisConnection): CartStore {
  const cartKey = (owner: string): string => `${redis.prefix}cart:${owner}`;
  const versionKey = (owner: string): string => `${redis.prefix}cart-version:${owner}`;
  const claimsKey = (owner: string): string => `${redis.prefix}cart-claims:${owner}`;
  const claimKey = (orderId: string): string => `${redis.prefix}cart-claim:${orderId}`;
  const { keptMs } = limits;
  return {
    async get(owner) {
      const keys = [cartKey(owner), versionKey(owner), claimsKey(owner)];
      const [flat, version, claims, now] = await redis.run(client => GET(client, keys, []), "none");
      const lines = linesIn(flat);
      return {
        items: lines.map(({ productId, quantity }) => ({ productId, quantity })),
        ...(lines.length > 0 && { updatedAt: rfc3339(Math.max(...lines.map(({ updatedAt }) => updatedAt))) }),
        version: Number(version),
        claims: Array.from({ length: claims.length / 2 }, (_, n) => ({
          orderId: claims[2 * n]!,
          ageMs: Number(now) - Number(claims[2 * n + 1]),
        })),
      };
    },

    async put(owner, productId, quantity, linesMax, ifVersion) {
      const args = [productId, quantity, linesMax, keptMs, ifVersion ?? ""];
      return inTime(await redis.run(client => PUT(client, [cartKey(owner), versionKey(owner)], args))) === 1;
    },

    async remove(owner, productId, ifVersion) {
      const args = [productId, keptMs, ifVersion ?? ""];
      inTime(await redis.run(client => REMOVE(client, [cartKey(owner), versionKey(owner)], args)));
    },

    async clear(owner, before, ifVersion) {
      const args = [before === undefined ? "" : Date.parse(before), keptMs, ifVersion ?? ""];
      inTime(await redis.run(client => CLEAR(client, [cartKey(owner), versionKey(owner)], args)));
    },

    // Repeated by the same command it answers the same lines, so it may be sent again without asking whether it was
    // executed.
    async take(owner, { orderId, commandId }) {
      const keys = [cartKey(owner), versionKey(owner), claimsKey(owner), claimKey(orderId)];
      const args = [owner, orderId, commandId, keptMs];
      const [version, text] = await redis.run(client => TAKE(client, keys, args), "none");
      return { version: Number(version), items: itemsIn(JSON.parse(text)) };
    },

    async claim(orderId) {
      const read = redis.run(client => client.hmget(claimKey(orderId), "state", "command", "version"), "none");
      const [state, commandId, version] = await read;
      return state === "open" ? { orderId, commandId: commandId!, version: Number(version) } : undefined;
    },

    async settle(orderId, outcome, { linesMax, quantityMax }) {
      const args = [redis.prefix, orderId, outcome, linesMax, quantityMax, keptMs];
      await redis.run(client => SETTLE(client, [claimKey(orderId)], args));
    },
  };
}
