// Asks the servers before any service starts: whether they accept us, and are of a version and kind that can serve. A
// server that is away is no error here: the node starts, and waits for it.
import { once } from "node:events";
import { createConnection } from "node:net";
import { connect, ErrorCode, type NatsConnection, type NatsError } from "nats";
import {
  EnvironmentError,
  Misconfigured,
  natsOptions,
  nodeEnvironment,
  PAYLOAD_BYTES,
  type Environment,
} from "../kernel/index.ts";
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
  if (nats) throw new EnvironmentError(nats.variable, nats.variable === "NATS_URL" ? NATS_URL! : "", nats.expected);
  if (redis) throw new EnvironmentError("REDIS_URL", REDIS_URL!, redis);
}

/** For those who have nothing to do without the bus. Throws Misconfigured when none of the servers of NATS_URL listens. */
export async function assertBusListens(environment: Environment): Promise<void> {
  const node = nodeEnvironment.of(environment);
  const { servers } = natsOptions(node.NATS_URL!, node);
  if ((await Promise.all(servers.map(listens))).includes(true)) return;
  throw new Misconfigured(`the bus is away: nothing listens at NATS_URL (${servers.join(", ")})`);
}

const REFUSED: readonly string[] = [ErrorCode.AuthorizationViolation, ErrorCode.AuthenticationExpired];

interface Problem {
  readonly variable: "NATS_URL" | "NATS_CA" | "NATS_CERT";
  readonly expected: string;
}

async function natsProblem(options: ReturnType<typeof natsOptions>): Promise<Problem | undefined> {
  let nats: NatsConnection;
  try {
    nats = await connect({ ...options, timeout: limits.answerMs, reconnect: false });
  } catch (error) {
    if (REFUSED.includes((error as NatsError).code))
      return { variable: "NATS_URL", expected: "user and password that the server takes" };
    return tlsProblem(error as NatsError, options);
  }
  const bytes = nats.info?.max_payload ?? PAYLOAD_BYTES;
  await nats.close();
  if (bytes >= PAYLOAD_BYTES) return undefined;
  const expected = `a server whose max_payload is ${PAYLOAD_BYTES} bytes or more: this one's is ${bytes}`;
  return { variable: "NATS_URL", expected };
}

/**
 * A server that is there and does not come to an agreement on TLS. One that waits for our certificate says nothing: the
 * attempt ends by its time-out.
 */
async function tlsProblem(
  { message }: NatsError,
  { servers, tls }: ReturnType<typeof natsOptions>,
): Promise<Problem | undefined> {
  const isThere = (await Promise.all(servers.map(listens))).includes(true);
  if (!isThere) return undefined;
  if (/certificate|self.signed|issuer|altname|TLS_REQUIRED/i.test(message) && !/alert/i.test(message))
    return { variable: "NATS_CA", expected: `the authority that signed the server's certificate (${message})` };
  if (tls === undefined) return undefined;
  return { variable: "NATS_CERT", expected: `a certificate, with NATS_KEY, that the server takes (${message})` };
}

async function listens(server: string): Promise<boolean> {
  const at = server.lastIndexOf(":");
  const socket = createConnection({ host: server.slice(0, at), port: Number(server.slice(at + 1)) });
  socket.setTimeout(limits.answerMs, () => socket.destroy(new Error("no answer")));
  return once(socket, "connect")
    .then(
      () => true,
      () => false,
    )
    .finally(() => socket.destroy());
}
