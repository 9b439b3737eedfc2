// The Postgres server of a benchmark: started for it, durable as in production, removed afterwards.
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Postgres, query } from "@valence/runtime/testing/servers";

/**
 * Settings that a server of this size would change. The settings of durability are the defaults, written down for the
 * record.
 */
export const POSTGRES_SETTINGS: Readonly<Record<string, string>> = {
  shared_buffers: "1GB",
  max_wal_size: "8GB",
  fsync: "on",
  synchronous_commit: "on",
  full_page_writes: "on",
};

/**
 * Runs `work` with a server of its own and a folder for all temporary files of this process and its children. Both are
 * removed afterwards, also after a signal: then `onSignal` ends the other processes.
 */
export async function withPostgres(
  work: (server: Postgres, folder: string) => Promise<void>,
  onSignal: () => void = () => {},
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "valence-bench-"));
  // Postgres runs as a user of its own.
  await chmod(folder, 0o755);
  process.env["TMPDIR"] = folder;
  const starting = Postgres.start({ settings: POSTGRES_SETTINGS });
  const end = async (): Promise<void> => {
    await starting.then(server => server.stop()).catch(() => {});
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  const interrupt = (): void => {
    onSignal();
    void end().then(() => process.exit(130));
  };
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  // A benchmark that crashes, for example because its output is no longer read, leaves no server behind either.
  const abandon = (server: Postgres) => process.once("exit", () => server.abandon());
  void starting.then(abandon, () => {});
  try {
    await work(await starting, folder);
  } finally {
    await end();
  }
}

export async function postgresVersion(server: Postgres): Promise<string> {
  const [row] = await query<{ server_version: string }>(server.url(), "show server_version");
  return row!.server_version;
}
