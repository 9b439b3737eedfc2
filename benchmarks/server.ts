// The Postgres server of a benchmark: started for it, durable as in production, gone afterwards.
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Postgres, query } from "@valence/runtime/testing/servers";

/** What is not a default that a server of this size would keep. Durability is as it comes, spelled out for the record. */
export const POSTGRES_SETTINGS: Readonly<Record<string, string>> = {
  shared_buffers: "1GB",
  max_wal_size: "8GB",
  fsync: "on",
  synchronous_commit: "on",
  full_page_writes: "on",
};

/**
 * Works with a server of its own, and with a folder in which everything of this process and its children lies that is
 * temporary. Both are gone afterwards, also when a signal comes: then `onSignal` ends what else was started.
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
  // A benchmark that crashes, as when nobody reads its output any more, leaves no server behind either.
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
