// The Redis server, if there is one.
import { defineEnvironment, serverUrl } from "../kernel/index.ts";

const FORM = "redis://[user:password@]host[:port][/database], or rediss:// for TLS";

export const redisEnvironment = defineEnvironment("Redis", {
  REDIS_URL: serverUrl({
    form: "`redis://[user:password@]host[:port][/database]`",
    problem: redisUrlProblem,
    defaultSays: "none: all of it is in SQL and in memory",
    says: "a server for the cache and counters, and for sessions and such; `rediss://` for TLS",
  }),
});

/** Without a query: the client would take its own settings from there, above ours. */
function redisUrlProblem(value: string): string | undefined {
  const { protocol, hostname, pathname, search, hash } = URL.canParse(value) ? new URL(value) : ({} as Partial<URL>);
  const isRedis = protocol === "redis:" || protocol === "rediss:";
  return !isRedis || !hostname || !/^(\/\d{0,4})?$/.test(pathname!) || search || hash ? FORM : undefined;
}
