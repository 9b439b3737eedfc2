// Where a service's tables are: a file of SQLite, or databases of Postgres.
import type { CertificateFile } from "../kernel/index.ts";
import { postgresUrlProblem, readPostgresUrl } from "./postgres-url.ts";

export type DatabaseLocation = SqliteLocation | PostgresLocation;

export interface SqliteLocation {
  readonly kind: "sqlite";
  readonly filename: string;
}

export interface PostgresLocation {
  readonly kind: "postgres";
  /** Connection URLs of the primaries: one, or one a shard, in any order: each database knows which shard it is. */
  readonly shards: readonly string[];
  /** Connection URL of a standby, for reads of read models. */
  readonly replica: string | undefined;
  /** The service's schema, and the role that owns it: `guest_book`. */
  readonly schema: string;
  /** Connections that one pool of the service may hold. `DATABASE_POOL_SIZE`, default 4. */
  readonly poolSize: number;
}

export const SQLITE = "sqlite:";
const LOCATION_FORM = "sqlite:<folder>, sqlite:<file>, or postgres://user:password@host:port/database";

/** The form that the value should have had; undefined for one SQLite path, or for Postgres URLs with commas between. */
export function locationProblem(value: string): string | undefined {
  if (value.startsWith(SQLITE)) return isPath(value.slice(SQLITE.length)) ? undefined : LOCATION_FORM;
  if (!/^postgres(ql)?:/i.test(value)) return LOCATION_FORM;
  return urlsOf(value)
    .map(url => postgresUrlProblem(url))
    .find(Boolean);
}

/**
 * An empty name, `:memory:` and a `file:` URI can name a database that SQLite keeps in memory. A second location after a
 * comma means shards, which SQLite does not have: the list would be the name of one file.
 */
const isPath = (name: string): boolean => name !== "" && !/^(:|file:)|,\s*(sqlite|postgres(ql)?):/i.test(name);

/** The URLs of a list with commas between. */
export const urlsOf = (value: string): string[] => value.split(",").map(url => url.trim());

/** The certificates that the URLs name: `sslrootcert` and `sslcert`. */
export function certificateFilesOf(location: DatabaseLocation): CertificateFile[] {
  if (location.kind === "sqlite") return [];
  const urls = [...location.shards, ...(location.replica === undefined ? [] : [location.replica])];
  return urls.flatMap(url => {
    const { connectionString, server } = readPostgresUrl(url);
    const { searchParams } = new URL(connectionString.replace("@/", "@localhost/"));
    const fileIn = (name: string, holds: CertificateFile["holds"]): CertificateFile[] => {
      const path = searchParams.get(name);
      return path === null || path === "system" ? [] : [{ variable: `${name} of ${server}`, path, holds }];
    };
    return [...fileIn("sslrootcert", "authorities"), ...fileIn("sslcert", "own")];
  });
}
