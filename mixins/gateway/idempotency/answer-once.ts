// A repeated Idempotency-Key gets the first answer. Keys belong to a user on a route; every route that changes something
// takes one, but public routes have no user and ignore it.
//
// An actor's command (`idempotent`) is decided once by its own service, whose record is the truth: it outlives every store,
// answers repeats and refusals, and makes a retry safe whatever was lost. Here its key is claimed only while it runs, so
// that a second attempt meanwhile is a 409 instead of a place in the queue; without the store it goes on without.
//
// For any other action the store is all there is. Without it the request is refused (503, nothing done). An answer 2xx is
// kept. A refusal wrote nothing and frees the key. After an unknown outcome the key stays taken until its lease ends; then
// the next attempt runs the action again, as it does when this process dies between the action and `finish`.
import { hash, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceBroker } from "moleculer";
import {
  clusterKeysIn,
  isRefusal,
  nodeEnvironment,
  outcomeOf,
  secretOfRole,
  type Refusal,
} from "../../kernel/index.ts";
import { setField } from "../../http/siblings.ts";
import { redisOf } from "../../redis/index.ts";
import { gatewayErrors } from "../errors.ts";
import { stepFor, type Answer, type Exchange, type Parts, type Step } from "../exchange.ts";
import { failpoint } from "../failpoints.ts";
import { limits } from "../limits.ts";
import type { ActionTarget } from "../route/route.ts";
import { fingerprintOf, keptFingerprintOf } from "./fingerprint.ts";
import { KEY_FIELD, takesKey } from "./key.ts";
import { RedisAnswers } from "./redis-answers.ts";
import { RunningKeys } from "./running.ts";
import { ServiceAnswers } from "./service-answers.ts";
import type { AnswerStore, Claim, Claimed, HeldClaim } from "./store.ts";

export const answerOnce = ({ broker, keyService: service }: Parts): Step => {
  const redis = redisOf(broker);
  const shared = redis && new RedisAnswers(redis);
  const store: AnswerStore = shared ?? new ServiceAnswers(broker, service);
  const running = new RunningKeys();
  const secret = lastingSecretOf(broker);
  const leaseMs = nodeEnvironment.of(broker).REQUEST_TIMEOUT_MS + limits.answerLeaseMs;
  const claimed = async (exchange: Exchange, name: string, next: Next): Promise<Answer | undefined> => {
    const { key, user } = exchange.request;
    const own = { scope: hash("sha256", name, "base64url"), owner: randomUUID(), holder: user.id };
    const claim: HeldClaim = { ...own, fingerprint: keptFingerprintOf(exchange, { key: key!, secret }) };
    if (shared && isIdempotent(exchange)) return runCommand(shared, claim, next);
    return runOnce({ store, claim, leaseMs, exchange, broker }, next);
  };
  return stepFor(takesKey, (exchange, pass) => {
    if (exchange.request.key === undefined) return pass();
    const name = nameOf(exchange);
    const found = running.begin(name, () => fingerprintOf(exchange));
    if (found !== "free") throw refusalOf(found);
    const next = (): Promise<Answer | undefined> =>
      pass().then(answer => {
        failpoint("gateway:before-answer-kept");
        return answer;
      });
    const answering = isIdempotent(exchange) && !shared ? next() : claimed(exchange, name, next);
    return answering.finally(() => running.end(name));
  });
};

const isIdempotent = ({ route }: Exchange): boolean => (route.target as ActionTarget).idempotent;

/**
 * A secret of all gateways. None where a restart would make another one, by which no repeat would be known again: the
 * workers of one machine have keys for one run.
 */
function lastingSecretOf(broker: ServiceBroker): string | undefined {
  const keys = clusterKeysIn(broker);
  return keys && !keys.own.anyNodeId ? secretOfRole(keys, "fingerprints of requests") : undefined;
}

type Next = () => Promise<Answer | undefined>;

/** Runs an actor's command, claimed among gateways as long as the store is there. */
async function runCommand(store: AnswerStore, claim: Claim, next: Next): Promise<Answer | undefined> {
  const claimed = await store.claim(claim, limits.commandLeaseMs).catch(() => undefined);
  if (claimed?.state === "running") throw refusalOf("running", claimed.endsInMs);
  if (claimed?.state === "other") throw refusalOf("other");
  try {
    return await next();
  } finally {
    // Also where the claim's reply was lost. Nobody waits for it: a lease that stays runs out, and the record answers.
    void store.release(claim).catch(() => {});
  }
}

interface Once {
  readonly store: AnswerStore;
  readonly claim: HeldClaim;
  readonly leaseMs: number;
  readonly exchange: Exchange;
  readonly broker: ServiceBroker;
}

/** Runs any other action, unless the store knows its answer. */
async function runOnce(once: Once, next: Next): Promise<Answer | undefined> {
  const { store, claim, leaseMs, exchange } = once;
  const claimed = await store.claim(claim, leaseMs).catch((error: unknown) => {
    void releaseLost(store, claim);
    throw error;
  });
  if (claimed.state === "done") return replay(exchange, claimed);
  if (claimed.state === "running") throw refusalOf("running", claimed.endsInMs);
  if (claimed.state === "other") throw refusalOf("other");
  let answer: Answer | undefined;
  try {
    answer = await next();
  } catch (error) {
    // A key that cannot be given back is taken until its lease ends: the refusal is the answer all the same.
    if (isRefusal(error) || outcomeOf(error) === "none") await store.release(claim).catch(() => {});
    throw error;
  }
  if (answer === undefined) await store.release(claim).catch(() => {});
  else await keep(once, answer);
  return answer;
}

/**
 * Gives back a key whose claim failed: it may have come about with only its reply lost, or come about yet, in a server that
 * was frozen and goes on. So once more after it has succeeded. A claim that stays runs out.
 */
async function releaseLost(store: AnswerStore, claim: Claim): Promise<void> {
  let released = 0;
  for (const ms of limits.answerReleasesMs) {
    await sleep(ms, undefined, { ref: false });
    const isReleased = await store.release(claim).then(
      () => true,
      () => false,
    );
    if (isReleased && ++released === 2) return;
  }
}

/** The action is carried out: an answer that cannot be kept is sent all the same. */
async function keep({ store, claim, exchange, broker }: Once, { status, headers, result }: Answer): Promise<void> {
  const { secret } = exchange.route.target as ActionTarget;
  const text = secret ? undefined : JSON.stringify({ status, headers, result });
  const isKept = text !== undefined && Buffer.byteLength(text) <= limits.answerBytesMax;
  await store.finish(claim, isKept ? text : undefined).catch((error: Error) => {
    broker.logger.warn(`the answer to an Idempotency-Key was not kept, a repeat may run again: ${error.message}`);
  });
}

function replay({ res }: Exchange, { answer }: Extract<Claimed, { state: "done" }>): Answer {
  if (answer === undefined) throw gatewayErrors.IDEMPOTENCY_ANSWER_NOT_KEPT({ field: KEY_FIELD });
  const { status, headers, result } = JSON.parse(answer) as Pick<Answer, "status" | "headers" | "result">;
  setField(res, "Idempotency-Replayed", "true");
  return { status, headers, body: status === 204 ? undefined : (result ?? null), result };
}

function refusalOf(found: "running" | "other", endsInMs: number = limits.answerAskAgainMs): Refusal {
  if (found === "other") return gatewayErrors.IDEMPOTENCY_KEY_REUSED({ field: KEY_FIELD });
  // Most requests end long before their lease.
  const retryAfterMs = Math.min(endsInMs, limits.answerAskAgainMs);
  return gatewayErrors.IDEMPOTENCY_KEY_IN_PROGRESS({ field: KEY_FIELD, retryAfterMs });
}

/**
 * The key of one user on one route. Hashed for a store, which then shows neither, and every key has the same length. A
 * credential that is narrowed to scopes has keys of its own: the answer to another one may be more than it may read.
 */
const nameOf = ({ route, request: { user, key } }: Exchange): string =>
  JSON.stringify([user.id, user.scopes, route.method, route.url, key]);
