// Where each service's tables live, as the environment says it.
import { postgresUrlProblem } from "./postgres-url.ts";

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
  /** The service's schema, and the role that owns it: `order_views`. */
  readonly schema: string;
  /** Connections that one pool of the service may hold. `DATABASE_POOL_SIZE`, default 4. */
  readonly poolSize: number;
}

const SQLITE = "sqlite:";
const EXPECTED_LOCATION = "sqlite:<folder>, sqlite:<file>, or postgres://user:password@host:port/database";

/** `ORDER_VIEWS` for `order-views`: what the variables of a service begin with. */
export const variablePrefix = (service: string): string => service.toUpperCase().replaceAll("-", "_");

/** The service that a variable of this name is for, as its prefix; undefined for all, or when it names no database. */
export const prefixIn = (variable: string): string | undefined =>
  /^(.+)_DATABASE_(?:REPLICA_)?URL$/.exec(variable)?.[1];

/**
 * The prefix that was meant, when `prefix` is a slip of the pen: one letter more, less or other in five, two in six or more.
 * Variables of other tools (`TEST_DATABASE_URL`) are none of ours, and short names have too many neighbours (`APP`, `API`).
 */
export function meantPrefix(prefix: string, known: readonly string[]): string | undefined {
  const slips = (name: string): number => (name.length < 4 ? 0 : name.length < 6 ? 1 : 2);
  return known.find(name => distance(prefix, name) <= slips(name));
}

/** Letters to insert, remove or replace. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length]!;
}

/** The variable that says where the service's tables live. */
export function variableOf(service: string, text: (name: string) => string | undefined): string {
  const own = `${variablePrefix(service)}_DATABASE_URL`;
  return [own, "DATABASE_URL"].find(name => text(name) !== undefined) ?? "DATA_DIR";
}

/** What the value should have been; undefined for a location: one SQLite path, or Postgres URLs with commas between. */
export function locationProblem(value: string, defaultUser: string): string | undefined {
  if (value.startsWith(SQLITE)) return isPath(value.slice(SQLITE.length)) ? undefined : EXPECTED_LOCATION;
  if (!/^postgres(ql)?:/i.test(value)) return EXPECTED_LOCATION;
  return urlsOf(value)
    .map(url => postgresUrlProblem(url, defaultUser))
    .find(Boolean);
}

/**
 * To SQLite an empty name, `:memory:` and a `file:` URI can all mean a database that is gone with the process. A second
 * location after a comma means shards, which SQLite has not: the list would be the name of one file.
 */
const isPath = (name: string): boolean => name !== "" && !/^(:|file:)|,\s*(sqlite|postgres(ql)?):/i.test(name);

const urlsOf = (value: string): string[] => value.split(",").map(url => url.trim());

/**
 * The location of a service. A variable of the service's own wins over the one for all. `location` and `replica` give the
 * value of a variable, checked.
 */
export function locationOf(
  service: string,
  { location, replica }: Record<"location" | "replica", (name: string) => string | undefined>,
  fallback: { readonly dataDir: string; readonly poolSize: number },
): DatabaseLocation {
  const prefix = variablePrefix(service);
  const own = location(`${prefix}_DATABASE_URL`);
  const value = own ?? location("DATABASE_URL") ?? SQLITE + fallback.dataDir;
  if (value.startsWith(SQLITE)) {
    const path = value.slice(SQLITE.length);
    return { kind: "sqlite", filename: own === undefined ? `${path}/${service}.sqlite` : path };
  }
  return {
    kind: "postgres",
    shards: urlsOf(value),
    replica:
      replica(`${prefix}_DATABASE_REPLICA_URL`) ?? (own === undefined ? replica("DATABASE_REPLICA_URL") : undefined),
    schema: prefix.toLowerCase(),
    poolSize: fallback.poolSize,
  };
}
