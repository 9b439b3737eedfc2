// Where each service's tables live, as the environment says it.
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
const POSTGRES = /^postgres(ql)?:$/;
export const EXPECTED_LOCATION = "sqlite:<folder>, sqlite:<file>, or postgres://user:password@host:port/database";

/** `ORDER_VIEWS` for `order-views`: what the variables of a service begin with. */
export const variablePrefix = (service: string): string => service.toUpperCase().replaceAll("-", "_");

/** The service that a variable of this name is for, as its prefix; undefined for all, or when it names no database. */
export const prefixIn = (variable: string): string | undefined =>
  /^(.+)_DATABASE_(?:REPLICA_)?URL$/.exec(variable)?.[1];

/** The variable that says where the service's tables live. */
export function variableOf(service: string, text: (name: string) => string | undefined): string {
  const own = `${variablePrefix(service)}_DATABASE_URL`;
  return [own, "DATABASE_URL"].find(name => text(name) !== undefined) ?? "DATA_DIR";
}

/** Whether the value is a location: one SQLite path, or Postgres URLs with commas between. */
export const isLocation = (value: string): boolean =>
  value.startsWith(SQLITE) ? isPath(value.slice(SQLITE.length)) : urlsOf(value).every(isPostgresUrl);

/**
 * To SQLite an empty name, `:memory:` and a `file:` URI can all mean a database that is gone with the process. A second
 * location after a comma means shards, which SQLite has not: the list would be the name of one file.
 */
const isPath = (name: string): boolean => name !== "" && !/^(:|file:)|,\s*(sqlite|postgres(ql)?):/i.test(name);

const urlsOf = (value: string): string[] => value.split(",").map(url => url.trim());

/** With a database in its path: libpq's default, the user's name, would be a surprise. */
export const isPostgresUrl = (value: string): boolean =>
  URL.canParse(value) && POSTGRES.test(new URL(value).protocol) && new URL(value).pathname.length > 1;

/** The location of a service, from checked variables. A variable of the service's own wins over the one for all. */
export function locationOf(
  service: string,
  text: (name: string) => string | undefined,
  fallback: { readonly dataDir: string; readonly poolSize: number },
): DatabaseLocation {
  const prefix = variablePrefix(service);
  const own = text(`${prefix}_DATABASE_URL`);
  const value = own ?? text("DATABASE_URL") ?? SQLITE + fallback.dataDir;
  if (value.startsWith(SQLITE)) {
    const path = value.slice(SQLITE.length);
    return { kind: "sqlite", filename: own === undefined ? `${path}/${service}.sqlite` : path };
  }
  const replica =
    text(`${prefix}_DATABASE_REPLICA_URL`) ?? (own === undefined ? text("DATABASE_REPLICA_URL") : undefined);
  return {
    kind: "postgres",
    shards: urlsOf(value),
    replica,
    schema: prefix.toLowerCase(),
    poolSize: fallback.poolSize,
  };
}
