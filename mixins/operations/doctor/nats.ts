// The NATS server: whether it lets anybody in, and how JetStream keeps the streams. JetStream holds copies: an event that it
// loses is read from the log of its owner, later and at the cost of that database.
import { connect, DiscardPolicy, millis, StorageType, type NatsConnection, type StreamInfo } from "nats";
import { nodeEnvironment, natsOptions, type Environment } from "../../kernel/index.ts";
import { streamEnvironment } from "../../stream/index.ts";
import { Channel, jetStreamOf } from "../../stream/siblings.ts";
import { count, duration, fail, ok, reasonOf, warn, type Result } from "./finding.ts";
import { limits } from "./limits.ts";

const ANSWER_MS = 2_000;

/**
 * Host and port of the server, and what was found; undefined where there is none. `sources`: full names of the services
 * that own events.
 */
export async function natsOf(
  environment: Environment,
  sources: readonly string[],
  isProduction: boolean,
): Promise<{ server: string; results: readonly Result[] } | undefined> {
  const node = nodeEnvironment.of(environment);
  if (node.NATS_URL === undefined) return undefined;
  const options = natsOptions(node.NATS_URL, node);
  const server = options.servers.join(", ");
  let nats: NatsConnection;
  try {
    nats = await connect({ ...options, timeout: ANSWER_MS, reconnect: false });
  } catch (error) {
    const advice = "start it, or look at NATS_URL: the nodes do not hear each other";
    return { server, results: [fail("bus", `it cannot be reached: ${reasonOf(error)}`, advice)] };
  }
  try {
    const bus = ok("bus", `${await nats.rtt()} ms there and back, version ${nats.info!.version}`);
    return { server, results: [bus, accessOf(nats, isProduction), ...(await streamsOf(nats, environment, sources))] };
  } finally {
    await nats.close();
  }
}

function accessOf({ info }: NatsConnection, isProduction: boolean): Result {
  const { auth_required, tls_verify } = info as { auth_required?: boolean; tls_verify?: boolean };
  if (auth_required) return ok("access", "it asks for a user");
  if (tls_verify) return ok("access", "it asks for a certificate");
  const message = "it has no users: whoever reaches it reads and publishes everything";
  return (isProduction ? fail : warn)(
    "access",
    message,
    "give it users: `npx valence nats-conf` writes them for each role",
  );
}

async function streamsOf(
  nats: NatsConnection,
  environment: Environment,
  sources: readonly string[],
): Promise<readonly Result[]> {
  const { CARRIER, JETSTREAM_DOMAIN } = streamEnvironment.of(environment);
  if (CARRIER !== "jetstream") return [];
  const { manager } = await jetStreamOf(nats, JETSTREAM_DOMAIN);
  const { NAMESPACE } = nodeEnvironment.of(environment);
  const results: Result[] = [];
  let seen = 0;
  for (const source of sources) {
    const { name } = new Channel(NAMESPACE, source);
    try {
      const info = await manager.streams.info(name);
      seen += 1;
      results.push(...troublesOf(info, nats));
    } catch (error) {
      const denial = /permissions violation/i.test((error as Error).message);
      // The user of one role may not look at the streams of others.
      if (!denial) results.push(absent(name, source, reasonOf(error)));
    }
  }
  return results.length > 0 ? results : [ok("streams", `${count(seen, "stream")} on disk, as this release makes them`)];
}

const absent = (name: string, source: string, reason: string): Result =>
  warn(
    "streams",
    `${name} cannot be seen (${reason}): consumers read the log of ${source} itself`,
    "is JetStream on? A start of that service makes the stream, or `npx valence migrate`",
  );

function troublesOf({ config, cluster }: StreamInfo, { info }: NatsConnection): Result[] {
  const { name, storage, num_replicas, max_age, discard, no_ack } = config;
  const results: Result[] = [];
  const say = (what: string, advice: string): void => void results.push(warn("streams", `${name} ${what}`, advice));
  const edit = `nats stream edit ${name}`;
  if (storage === StorageType.Memory)
    say("is in memory: a restart of the server empties it", `remove it: a start of its service makes it anew, on disk`);
  const isCluster = cluster?.name !== undefined || (info as { cluster?: string }).cluster !== undefined;
  if (isCluster && num_replicas === 1)
    say("has one copy in a cluster: nothing is published while its server is away", `${edit} --replicas 3`);
  if (max_age > 0 && millis(max_age) < limits.streamAgeMs)
    say(
      `keeps messages for ${duration(millis(max_age))}: a consumer that is away for longer reads the log`,
      `${edit} --max-age 24h`,
    );
  if (discard === DiscardPolicy.New)
    say("refuses what is new when it is full: publishing stops", `${edit} --discard old`);
  if (no_ack) say("confirms nothing: the relay waits in vain", `${edit} --ack`);
  return results;
}
