// Where each service's tables are: in a SQLite file, unless a variable names another place.
import {
  defineEnvironment,
  EnvironmentError,
  integer,
  matching,
  perService,
  serverUrl,
  text,
  variableOf,
  type Environment,
} from "../kernel/index.ts";
import { locationProblem, SQLITE, urlsOf, type DatabaseLocation } from "./location.ts";
import { postgresUrlProblem } from "./postgres-url.ts";

const POSTGRES = "`postgres://user:password@host:port/database`";
const replica = { form: POSTGRES, problem: postgresUrlProblem };

export const databaseEnvironment = defineEnvironment(
  "Databases",
  {
    DATA_DIR: matching({
      pattern: /^(?!file:)/i,
      expected: "a folder, without file: in front, which SQLite takes for a URI",
      default: "data",
      says: "folder of the embedded databases",
    }),
    DATABASE_URL: serverUrl({
      form: `\`sqlite:<folder>\` or ${POSTGRES}`,
      problem: locationProblem,
      defaultSays: "`sqlite:<DATA_DIR>`",
      says: "where the tables of all services are: a folder of SQLite files, or a Postgres database",
    }),
    "<SERVICE>_DATABASE_URL": perService(
      serverUrl({
        form: `\`sqlite:<file>\` or ${POSTGRES}`,
        problem: locationProblem,
        says:
          "where one service's tables are: `GUEST_BOOK_DATABASE_URL` for `guest-book`; several Postgres databases, with " +
          "commas between, are shards, in any order",
      }),
    ),
    DATABASE_REPLICA_URL: serverUrl({ ...replica, says: "a standby, for reads of read models" }),
    "<SERVICE>_DATABASE_REPLICA_URL": perService(
      serverUrl({ ...replica, says: "the standby of a service that has a `<SERVICE>_DATABASE_URL`" }),
    ),
    DATABASE_POOL_SIZE: integer({
      min: 1,
      max: 1_000,
      default: 4,
      says: "connections to Postgres that each pool of a service may hold",
    }),
    PGUSER: text({
      defaultSays: "the user of the process",
      says: "logs in where a Postgres URL names no user",
    }),
  },
  ({ DATABASE_URL }) => {
    if (DATABASE_URL?.includes(","))
      throw new EnvironmentError(
        "DATABASE_URL",
        DATABASE_URL,
        "one URL; shards are a service's: <SERVICE>_DATABASE_URL=<a>,<b>",
      );
  },
);

type From = Environment | { readonly options: object };

/** Where the service's tables are. A variable of the service's own wins over the one for all. */
export function locationOf(from: From, service: string): DatabaseLocation {
  const values = databaseEnvironment.of(from);
  const own = values["<SERVICE>_DATABASE_URL"](service);
  const value = own ?? values.DATABASE_URL ?? SQLITE + values.DATA_DIR;
  if (value.startsWith(SQLITE)) {
    const path = value.slice(SQLITE.length);
    return { kind: "sqlite", filename: own === undefined ? `${path}/${service}.sqlite` : path };
  }
  const ownReplica = values["<SERVICE>_DATABASE_REPLICA_URL"](service);
  return {
    kind: "postgres",
    shards: urlsOf(value),
    replica: ownReplica ?? (own === undefined ? values.DATABASE_REPLICA_URL : undefined),
    schema: service.toLowerCase().replaceAll("-", "_"),
    poolSize: values.DATABASE_POOL_SIZE,
  };
}

/** The variable that says where the service's tables are, for messages. */
export function locationVariableOf(from: From, service: string): string {
  const values = databaseEnvironment.of(from);
  if (values["<SERVICE>_DATABASE_URL"](service) !== undefined) return variableOf("<SERVICE>_DATABASE_URL", service);
  return values.DATABASE_URL === undefined ? "DATA_DIR" : "DATABASE_URL";
}
