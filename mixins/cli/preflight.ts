// Asks the servers before any service starts: whether they accept us, and are of a version and kind that can serve. A
// server that is away is no error here: the node starts, and waits for it.
import { connect, ErrorCode, type NatsConnection, type NatsError } from "nats";
import { EnvironmentError, natsOptions, nodeEnvironment, PAYLOAD_BYTES, type Environment } from "../kernel/index.ts";
import { redisEnvironment, redisProblem } from "../redis/index.ts";

const limits = {
  /** Milliseconds to wait for NATS; a server that answers later counts as away. */
  answerMs: 2_000,
};

/** Throws EnvironmentError that names the variable. */
export async function checkServers(environment: Environment): Promise<void> {
  const node = nodeEnvironment.of(environment);
  const { NATS_URL } = node;
  const { REDIS_URL } = redisEnvironment.of(environment);
  const [nats, redis] = await Promise.all([
    NATS_URL && natsProblem(natsOptions(NATS_URL, node)),
    REDIS_URL && redisProblem(REDIS_URL),
  ]);
  if (nats) throw new EnvironmentError("NATS_URL", NATS_URL!, nats);
  if (redis) throw new EnvironmentError("REDIS_URL", REDIS_URL!, redis);
}

const REFUSED: readonly string[] = [ErrorCode.AuthorizationViolation, ErrorCode.AuthenticationExpired];

async function natsProblem(options: ReturnType<typeof natsOptions>): Promise<string | undefined> {
  let nats: NatsConnection;
  try {
    nats = await connect({ ...options, timeout: limits.answerMs, reconnect: false });
  } catch (error) {
    return REFUSED.includes((error as NatsError).code) ? "user and password that the server takes" : undefined;
  }
  const bytes = nats.info?.max_payload ?? PAYLOAD_BYTES;
  await nats.close();
  if (bytes >= PAYLOAD_BYTES) return undefined;
  return `a server whose max_payload is ${PAYLOAD_BYTES} bytes or more: this one's is ${bytes}`;
}
