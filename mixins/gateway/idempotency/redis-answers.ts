// First answers in Redis: one hash a key, `answer:<scope>`, with the fields fingerprint, owner, lease (its end) and, once
// it is done, done and answer. Each step is one script, by the server's clock. A lost reply is answered with outcome none:
// the claim of a request that then never ran is left to run out.
import { script, type RedisConnection } from "../../redis/index.ts";
import { limits } from "../limits.ts";
import type { AnswerStore, Claim, Claimed } from "./store.ts";

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
  local owner, keep, answer = unpack(ARGV)
  if redis.call('hget', KEYS[1], 'owner') ~= owner then return 0 end
  redis.call('hset', KEYS[1], 'done', 1)
  if answer then redis.call('hset', KEYS[1], 'answer', answer) end
  redis.call('pexpire', KEYS[1], keep)
  return 1`);

const RELEASE = script(`
  local owner, done = unpack(redis.call('hmget', KEYS[1], 'owner', 'done'))
  if owner == ARGV[1] and not done then redis.call('del', KEYS[1]) end`);

export class RedisAnswers implements AnswerStore {
  readonly #redis: RedisConnection;
  constructor(redis: RedisConnection) {
    this.#redis = redis;
  }

  async claim({ scope, fingerprint, owner }: Claim, leaseMs: number): Promise<Claimed> {
    const args = [fingerprint, owner, leaseMs, limits.answerKeptMs];
    const [state, more] = await this.#redis.run(client => CLAIM(client, [this.#keyOf(scope)], args), "none");
    if (state === "running") return { state, endsInMs: Number(more) };
    return state === "done" && more !== undefined && more !== null ? { state, answer: more } : { state };
  }

  async finish({ scope, owner }: Claim, answer?: string): Promise<boolean> {
    const args = [owner, limits.answerKeptMs, ...(answer === undefined ? [] : [answer])];
    return (await this.#redis.run(client => FINISH(client, [this.#keyOf(scope)], args))) === 1;
  }

  async release({ scope, owner }: Claim): Promise<void> {
    await this.#redis.run(client => RELEASE(client, [this.#keyOf(scope)], [owner]));
  }

  #keyOf(scope: string): string {
    return `${this.#redis.prefix}answer:${scope}`;
  }
}
