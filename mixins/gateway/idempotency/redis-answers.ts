// First answers in Redis: one hash a key, `answer:<scope>`, with the fields fingerprint, owner, lease (its end) and, once
// it is done, done and answer. Each step is one script, by the server's clock. A lost reply is answered with outcome none:
// the claim of a request that then never ran is left to run out.
//
// What one user keeps is bounded, or a single one could fill the memory that all share: `answers:<holder>` lists the
// scopes that are done, `answer-texts:<holder>` those with an answer and its size, the oldest first, and `answer-bytes:<holder>`
// is the sum of the sizes. Above their limits the oldest answer goes, then the oldest key. What has run out by itself
// is the oldest, too, so it is counted for a while and drops out of the lists before anything that still lives.
import { script, type RedisConnection } from "../../redis/index.ts";
import { limits } from "../limits.ts";
import type { AnswerStore, Claim, Claimed, HeldClaim } from "./store.ts";

const NOW = `
  local time = redis.call('time')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)`;

const CLAIM = script<[state: Claimed["state"], more?: string]>(`
  local fingerprint, owner, lease, keep = unpack(ARGV)${NOW}
  local known, ends, done, answer = unpack(redis.call('hmget', KEYS[1], 'fingerprint', 'lease', 'done', 'answer'))
  if known and known ~= fingerprint then return { 'other' } end
  if done then return { 'done', answer } end
  if known and tonumber(ends) > now then return { 'running', tostring(tonumber(ends) - now) } end
  redis.call('hset', KEYS[1], 'fingerprint', fingerprint, 'owner', owner, 'lease', string.format('%d', now + lease))
  redis.call('pexpire', KEYS[1], keep)
  return { 'owned' }`);

/** 0: the key is another's by now, or gone. */
const FINISH = script<0 | 1>(`
  local owner, keep, scope, prefix, bytesMax, keysMax, answer = unpack(ARGV)
  if redis.call('hget', KEYS[1], 'owner') ~= owner then return 0 end
  redis.call('hset', KEYS[1], 'done', 1)
  redis.call('rpush', KEYS[2], scope)
  if redis.call('llen', KEYS[2]) > tonumber(keysMax) then
    redis.call('del', prefix .. redis.call('lpop', KEYS[2]))
  end
  if answer then
    redis.call('hset', KEYS[1], 'answer', answer)
    redis.call('rpush', KEYS[3], #answer .. ' ' .. scope)
    local bytes = redis.call('incrby', KEYS[4], #answer)
    while bytes > tonumber(bytesMax) do
      local oldest = redis.call('lpop', KEYS[3])
      if not oldest then redis.call('del', KEYS[4]) break end
      local size, of = string.match(oldest, '^(%d+) (.+)$')
      redis.call('hdel', prefix .. of, 'answer')
      bytes = redis.call('decrby', KEYS[4], size)
    end
  end
  for n = 1, 4 do redis.call('pexpire', KEYS[n], keep) end
  return 1`);

const RELEASE = script(`
  local owner, done = unpack(redis.call('hmget', KEYS[1], 'owner', 'done'))
  if owner == ARGV[1] and not done then redis.call('del', KEYS[1]) end`);

interface PerUser {
  readonly bytes: number;
  readonly keys: number;
}

export class RedisAnswers implements AnswerStore {
  readonly #redis: RedisConnection;
  readonly #perUser: PerUser;

  /** `perUser`: bytes of the answers, and number of the keys, that are kept for one user. */
  constructor(
    redis: RedisConnection,
    perUser: PerUser = { bytes: limits.answerBytesPerUserMax, keys: limits.keysPerUserMax },
  ) {
    this.#redis = redis;
    this.#perUser = perUser;
  }

  async claim({ scope, fingerprint, owner }: Claim, leaseMs: number): Promise<Claimed> {
    const args = [fingerprint, owner, leaseMs, limits.answerKeptMs];
    const [state, more] = await this.#redis.run(client => CLAIM(client, [this.#keyOf(scope)], args), "none");
    if (state === "running") return { state, endsInMs: Number(more) };
    return state === "done" && more !== undefined && more !== null ? { state, answer: more } : { state };
  }

  async finish({ scope, owner, holder }: HeldClaim, answer?: string): Promise<boolean> {
    const lists = ["answers", "answer-texts", "answer-bytes"].map(name => `${this.#redis.prefix}${name}:${holder}`);
    const { bytes, keys } = this.#perUser;
    const bounds = [limits.answerKeptMs, scope, this.#keyOf(""), bytes, keys];
    const args = [owner, ...bounds, ...(answer === undefined ? [] : [answer])];
    return (await this.#redis.run(client => FINISH(client, [this.#keyOf(scope), ...lists], args))) === 1;
  }

  async release({ scope, owner }: Claim): Promise<void> {
    await this.#redis.run(client => RELEASE(client, [this.#keyOf(scope)], [owner]));
  }

  #keyOf(scope: string): string {
    return `${this.#redis.prefix}answer:${scope}`;
  }
}
