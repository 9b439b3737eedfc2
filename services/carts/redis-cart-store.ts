// Carts in Redis: a hash a cart, a field a product. Each change is one script, by the server's clock.
import { rfc3339 } from "../../mixins/kernel/index.ts";
import { script, type RedisConnection } from "../../mixins/redis/index.ts";
import type { CartStore } from "./cart-store.ts";

export const limits = {
  /** Milliseconds that a cart is kept after its last change: three months. */
  keptMs: 90 * 24 * 3_600_000,
} as const;

/** What a field holds: quantity, and when the line was added and last put, in milliseconds since the epoch. */
const lineOf = ([productId, text]: [string, string]) => {
  const [quantity, addedAt, updatedAt] = text.split(" ").map(Number) as [number, number, number];
  return { productId, quantity, addedAt, updatedAt };
};

const PUT = script<0 | 1>(`
  local product, quantity, max, kept = unpack(ARGV)
  local old = redis.call('hget', KEYS[1], product)
  if not old and redis.call('hlen', KEYS[1]) >= tonumber(max) then return 0 end
  local time = redis.call('time')
  local now = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
  local added = old and string.match(old, ' (%d+) ') or now
  redis.call('hset', KEYS[1], product, quantity .. ' ' .. added .. ' ' .. now)
  redis.call('pexpire', KEYS[1], kept)
  return 1`);

const CLEAR = script(`
  local lines = redis.call('hgetall', KEYS[1])
  for n = 1, #lines, 2 do
    local updated = string.match(lines[n + 1], '%d+$')
    if tonumber(updated) <= tonumber(ARGV[1]) then redis.call('hdel', KEYS[1], lines[n]) end
  end`);

export function redisCartStore(redis: RedisConnection): CartStore {
  const keyOf = (owner: string): string => `${redis.prefix}cart:${owner}`;
  return {
    async get(owner) {
      const found = await redis.run(client => client.hgetall(keyOf(owner)), "none");
      const lines = Object.entries(found).map(lineOf);
      lines.sort((a, b) => a.addedAt - b.addedAt || (a.productId < b.productId ? -1 : 1));
      return {
        items: lines.map(({ productId, quantity }) => ({ productId, quantity })),
        ...(lines.length > 0 && { updatedAt: rfc3339(Math.max(...lines.map(({ updatedAt }) => updatedAt))) }),
      };
    },

    async put(owner, productId, quantity, linesMax) {
      const args = [productId, quantity, linesMax, limits.keptMs];
      return (await redis.run(client => PUT(client, [keyOf(owner)], args))) === 1;
    },

    async remove(owner, productId) {
      await redis.run(client => client.hdel(keyOf(owner), productId));
    },

    async clear(owner, before) {
      await redis.run<unknown>(client =>
        before === undefined ? client.del(keyOf(owner)) : CLEAR(client, [keyOf(owner)], [Date.parse(before)]),
      );
    },
  };
}
