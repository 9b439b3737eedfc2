// The doctor's findings about a test's databases, and a way to make trouble in them.
import { DatabaseSync } from "node:sqlite";
import { locationOf } from "../../database/index.ts";
import { readEnvironment } from "../../kernel/index.ts";
import { query } from "../../testing/servers.ts";
import { serviceNames } from "../services.ts";
import { examine } from "./examination.ts";
import { lineOf, type Finding } from "./finding.ts";

type Env = Readonly<Record<string, string>>;

export interface Word {
  readonly findings: readonly Finding[];
  /** The findings of one check, as lines. */
  readonly of: (check: string, subject?: string) => string[];
  /** Lines about services that are not `ok`. On the server that tests share, other tests' transactions may appear. */
  readonly troubles: string[];
}

export interface Asking {
  readonly only?: string;
  readonly deep?: boolean;
  /** Services to open, default: those of the project. */
  readonly all?: readonly string[];
}

export async function examined(env: Env, options: Asking = {}): Promise<Word> {
  const { only, deep = false, all = serviceNames("services") } = options;
  const findings = await examine(readEnvironment(env), { folder: "services", all, only }, { deep });
  return {
    findings,
    of: (check, subject) =>
      findings.filter(one => one.check === check && (subject === undefined || one.subject === subject)).map(lineOf),
    troubles: findings.filter(({ status, subject }) => status !== "ok" && all.includes(subject)).map(lineOf),
  };
}

/** Runs a statement in the tables of a service, and answers its rows. */
export async function change<R = any>(env: Env, service: string, sql: string): Promise<R[]> {
  const location = locationOf(readEnvironment(env), service);
  if (location.kind === "postgres") {
    const tables = sql.replaceAll(/\b(from|into|update|join) (?!pg_)(\w+)(?!\w*\.)/g, `$1 ${location.schema}.$2`);
    return query<any>(location.shards[0]!, tables);
  }
  const database = new DatabaseSync(location.filename);
  try {
    return database.prepare(sql).all() as R[];
  } finally {
    database.close();
  }
}
