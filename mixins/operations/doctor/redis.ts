// Settings of a Redis server by which what the runtime keeps there is lost before its time: counts of limits, answers to
// repeated requests, sessions, and what services keep there. Events are never there.
import { Redis } from "ioredis";
import { redisEnvironment } from "../../redis/index.ts";
import type { Environment } from "../../kernel/index.ts";
import { fail, ok, reasonOf, warn, type Result } from "./finding.ts";

const limits = {
  /** Milliseconds to connect, and for each answer. */
  answerMs: 2_000,
  /** Shares of `maxmemory` in use: with `noeviction` writes are refused at the end. */
  memory: { warn: 0.9, fail: 0.99 },
} as const;

/** Host and port of the server, and what was found; undefined where there is none. */
export async function redisOf(
  environment: Environment,
  isProduction: boolean,
): Promise<{ server: string; results: readonly Result[] } | undefined> {
  const { REDIS_URL } = redisEnvironment.of(environment);
  if (REDIS_URL === undefined) return undefined;
  const { host, password } = new URL(REDIS_URL);
  const facts = await factsOf(REDIS_URL);
  if (typeof facts === "string")
    return {
      server: host,
      results: [
        fail(
          "redis",
          `it cannot be reached: ${facts}`,
          "start it, or look at REDIS_URL: the services go on without, slower",
        ),
      ],
    };
  return {
    server: host,
    results: [writesOf(facts), evictionOf(facts), persistenceOf(facts), accessOf(password, isProduction)],
  };
}

type Facts = Readonly<Record<string, string>>;

/** The server's own account; the reason where it cannot be had. */
async function factsOf(url: string): Promise<Facts | string> {
  const client = new Redis(url, {
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    connectTimeout: limits.answerMs,
    commandTimeout: limits.answerMs,
    // A server that is loading its data is not waited for: it says so.
    enableReadyCheck: false,
    retryStrategy: () => null,
  });
  let told = "";
  client.on("error", error => (told ||= reasonOf(error)));
  try {
    await client.connect();
    // All sections: `info a b` is Redis 7's. A setting may be hidden from the user, as managed servers do.
    const [info, save] = await Promise.all([
      client.info(),
      (client.config("GET", "save") as Promise<string[]>).catch(() => []),
    ]);
    const lines = [...info.matchAll(/^(\w+):(.*?)\r?$/gm)].map(([, name, value]) => [name!, value!]);
    return { ...Object.fromEntries(lines), ...(save[1] !== undefined && { save: save[1] }) };
  } catch (error) {
    return told || reasonOf(error);
  } finally {
    client.disconnect();
  }
}

function writesOf(facts: Facts): Result {
  const { role, redis_version, loading, maxmemory_policy: policy } = facts;
  if (role === "slave") return fail("redis", "it is a replica, and takes no writes", "name its primary in REDIS_URL");
  if (facts["rdb_last_bgsave_status"] === "err" || facts["aof_last_write_status"] === "err")
    return fail("redis", "it could not write to its disk, and refuses writes since", "see its log: is its disk full?");
  if (policy === "noeviction" && memoryOf(facts) >= limits.memory.fail)
    return fail("redis", "its memory is full, and it refuses writes", "raise its maxmemory");
  if (loading === "1") return warn("redis", "it is reading its data, and answers nothing yet", "wait until it has");
  return ok("redis", `answers, version ${redis_version}`);
}

/** The share of `maxmemory` that is in use; 0 without a limit. */
const memoryOf = ({ maxmemory, used_memory }: Facts): number =>
  Number(maxmemory) > 0 ? Number(used_memory) / Number(maxmemory) : 0;

/** Policies by which what is kept for weeks, like sessions, goes last, or stays. */
const SAFE_POLICIES: ReadonlySet<string> = new Set(["noeviction", "volatile-ttl"]);

function evictionOf(facts: Facts): Result {
  const { maxmemory_policy: policy = "unknown", evicted_keys: evicted = "0" } = facts;
  const percent = Math.round(memoryOf(facts) * 100);
  const isLimited = Number(facts["maxmemory"]) > 0;
  const use = isLimited ? `${percent} % of maxmemory in use` : "no maxmemory";
  if (isLimited && !SAFE_POLICIES.has(policy))
    return warn(
      "eviction",
      `maxmemory-policy ${policy}: it removes sessions when it is full; ${evicted} keys so far, ${use}`,
      "set maxmemory-policy volatile-ttl: it removes the cache first, whose entries end soonest",
    );
  const then = policy === "noeviction" ? "refuses writes" : "removes first the cache, then counts of guesses";
  if (percent >= limits.memory.warn * 100) return warn("eviction", `${use}: then it ${then}`, "raise its maxmemory");
  return ok("eviction", `maxmemory-policy ${policy}, ${use}`);
}

function persistenceOf({ aof_enabled: aof, save, rdb_last_save_time: savedAt }: Facts): Result {
  if (aof === "1") return ok("persistence", "appendonly yes");
  if (save === undefined)
    return ok("persistence", `appendonly no; it may save snapshots, the last one of ${dateOf(savedAt)}`);
  if (save !== "") return ok("persistence", `appendonly no, snapshots: save ${save}`);
  return warn(
    "persistence",
    "appendonly no, and no snapshots: after a restart sessions and counts of limits are gone",
    "set appendonly yes",
  );
}

const dateOf = (seconds = "0"): string => new Date(Number(seconds) * 1_000).toISOString();

/** It has answered: without a password in the URL, anybody gets an answer. */
function accessOf(password: string, isProduction: boolean): Result {
  if (password !== "") return ok("access", "it asks for a password");
  const message = "it asks for no password: whoever reaches it reads and changes sessions and counts";
  return (isProduction ? fail : warn)("access", message, "set requirepass or an ACL user, and name it in REDIS_URL");
}
