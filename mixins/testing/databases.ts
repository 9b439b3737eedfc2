// A test's own databases, of the kind that its run is for: SQLite, or Postgres in the project of that name.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atEndOfFile } from "./clean-up.ts";
import { newDatabase } from "./servers/postgres.ts";

export interface Databases {
  readonly folder: string;
  /** Variables for the environment of a process or a broker. */
  readonly env: Readonly<Record<string, string>>;
  /** Removes them; otherwise they are removed when the test file ends. */
  remove(): Promise<void>;
}

export const isOnPostgres = (): boolean => process.env["TEST_DATABASE"] === "postgres";

/** The Postgres server of this run. */
export function postgresUrl(): string {
  const url = process.env["TEST_POSTGRES_URL"];
  if (!url) throw new Error("this test runs in the project postgres: npm run test:postgres -- <path>");
  return url;
}

/** On the run's server, unless another one's URL is given. */
export async function newDatabases(server?: string): Promise<Databases> {
  const folder = await mkdtemp(join(tmpdir(), "valence-"));
  const database = isOnPostgres() ? await newDatabase(server ?? postgresUrl()) : undefined;
  return {
    folder,
    env: { DATA_DIR: folder, ...(database && { DATABASE_URL: database.url }) },
    remove: atEndOfFile(async () => {
      await database?.drop();
      await rm(folder, { recursive: true, force: true });
    }),
  };
}
