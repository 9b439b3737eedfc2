// A connection to Redis for questions whose answer is not worth waiting for, since the process has an answer of its own:
// whether a client may ask so often. The usual connection waits a second for a server that is frozen, and is made anew
// then; whoever asks on this one waits as long as they like.
import { Redis } from "ioredis";
import type { ServiceBroker } from "moleculer";
import { backoffMs } from "../kernel/index.ts";
import { traceCommands } from "./commands.ts";
import { limits, redisOf } from "./connection.ts";

/**
 * A client whose commands fail at once while the server is away. It is not shared: each call makes one, which closes with
 * the broker. Undefined without `REDIS_URL`.
 */
export function impatientClientOf(broker: ServiceBroker): Redis | undefined {
  const url = redisOf(broker)?.url;
  if (url === undefined) return undefined;
  const client = new Redis(url, {
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    commandTimeout: limits.connectMs,
    connectTimeout: limits.connectMs,
    disconnectTimeout: limits.goodbyeMs,
    retryStrategy: attempt => backoffMs(attempt, { baseMs: limits.retryMinMs, capMs: limits.retryMaxMs }),
  });
  traceCommands(client);
  // The usual connection logs that the server is away; an error without a listener would end the process.
  client.on("error", () => {});
  broker.middlewares.add({ name: "CloseImpatientRedis", stopped: async () => client.disconnect() });
  return client;
}
