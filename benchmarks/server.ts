// The Postgres server of a benchmark: started for it, durable as in production, gone afterwards.
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Postgres, query } from "../test/servers/postgres.ts";

/** What is not a default that a server of this size would keep. Durability is as it comes, spelled out for the record. */
export const POSTGRES_SETTINGS: Readonly<Record<string, string>> = {
  shared_buffers: "1GB",
  max_wal_size: "8GB",
  fsync: "on",
  synchronous_commit: "on",
  full_page_writes: "on",
};

/**
 * Makes a folder in which everything of this process and its children lies that is temporary; answers what removes it.
 * Open to others: Postgres runs as a user of its own.
 */
export async function ownFolder(): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "valence-bench-"));
  await chmod(path, 0o755);
  process.env["TMPDIR"] = path;
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 5 }) };
}

export const startPostgres = (): Promise<Postgres> => Postgres.start({ settings: POSTGRES_SETTINGS });

export async function postgresVersion(server: Postgres): Promise<string> {
  const [row] = await query<{ server_version: string }>(server.url(), "show server_version");
  return row!.server_version;
}
