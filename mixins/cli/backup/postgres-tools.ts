// pg_dump and pg_restore, which come with Postgres.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import pg from "pg";
import { readPostgresUrl } from "../../database/index.ts";
import { Misconfigured, withoutSecrets } from "../../kernel/index.ts";

const run = promisify(execFile);

/** Parameters of a URL that libpq takes from variables too. */
const FROM_URL = ["sslmode", "sslcert", "sslkey", "sslrootcert"];

/**
 * Runs the program on the database of the URL. Throws Misconfigured when it is not there or fails, with its first message.
 */
export async function runTool(name: "pg_dump" | "pg_restore", url: string, args: readonly string[]): Promise<void> {
  const { place, database } = readPostgresUrl(url);
  const toDatabase = name === "pg_restore" ? [`--dbname=${database}`] : [];
  try {
    await run(name, [...toDatabase, ...args], { env: { ...process.env, ...variablesOf(url) } });
  } catch (error) {
    const { code, stderr, message } = error as Error & { code?: unknown; stderr?: string };
    if (code === "ENOENT")
      throw new Misconfigured(
        `${name} is not on the PATH: install the client programs of the server's version or a later one`,
      );
    throw new Misconfigured(`${name} on ${place}: ${withoutSecrets((stderr || message).trim().split("\n")[0]!)}`);
  }
}

/** Not in the arguments, which every user of the machine can read. */
function variablesOf(url: string): Record<string, string> {
  const { connectionString, applicationName = "valence" } = readPostgresUrl(url);
  const { host, port, user, password, database } = new pg.Client({ connectionString });
  const { searchParams } = new URL(connectionString.replace("@/", "@localhost/"));
  const own = FROM_URL.flatMap(name => {
    const value = searchParams.get(name);
    // `no-verify` is the driver's own name.
    return value === null ? [] : [[`PG${name.toUpperCase()}`, value === "no-verify" ? "require" : value] as const];
  });
  return {
    PGHOST: host,
    PGPORT: `${port}`,
    ...(user !== undefined && { PGUSER: user }),
    ...(database !== undefined && { PGDATABASE: database }),
    ...(typeof password === "string" && password !== "" && { PGPASSWORD: password }),
    ...(searchParams.get("ssl") === "true" && { PGSSLMODE: "require" }),
    ...Object.fromEntries(own),
    PGAPPNAME: `${applicationName} backup`,
  };
}
