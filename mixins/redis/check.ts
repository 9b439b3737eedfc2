// Checks once, before a start, whether a Redis server can serve the broker.
import { Redis } from "ioredis";
import { limits } from "./connection.ts";

/** Answers of a server that refuses as long as the URL stays as it is. */
const REFUSED = /^(WRONGPASS|NOAUTH|ERR (AUTH|invalid password|DB index))/;

/** The kind of server that was expected at `url`; undefined when the server is right, or away. */
export async function redisProblem(url: string): Promise<string | undefined> {
  const client = new Redis(url, {
    lazyConnect: true,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    connectTimeout: limits.connectMs,
    commandTimeout: limits.connectMs,
    retryStrategy: () => null,
  });
  // A refused log-in ends the connection: a command under way only gets the error of the end.
  let told = "";
  client.on("error", error => (told ||= error.message));
  try {
    await client.connect();
    await client.ping();
    const database = client.options.db ?? 0;
    if (database !== 0) await client.select(database);
    // A user may be forbidden to ask.
    const about = await client.info("cluster").catch(() => "");
    return /^cluster_enabled:1/m.test(about) ? "a single server: Redis Cluster is not supported" : undefined;
  } catch (error) {
    const message = [told, (error as Error).message].find(message => REFUSED.test(message)) ?? "";
    return REFUSED.test(message) ? `user, password and database that the server takes (${message})` : undefined;
  } finally {
    client.disconnect();
  }
}
