// Whether a Redis server is one that can serve us, asked once, before a start.
import { Redis } from "ioredis";
import { limits } from "./connection.ts";

/** Of a server that is there, and will not for as long as the URL is as it is. */
const REFUSED = /^(WRONGPASS|NOAUTH|ERR (AUTH|invalid password|DB index))/;

/** What the server at `url` should have been; undefined when it is as it should be, or away. */
export async function redisProblem(url: string): Promise<string | undefined> {
  const client = new Redis(url, {
    lazyConnect: true,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    connectTimeout: limits.connectMs,
    commandTimeout: limits.connectMs,
    retryStrategy: () => null,
  });
  // A log-in that is refused ends the connection: what was asked only hears of that.
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
