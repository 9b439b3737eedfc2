// A span for each statement of knex, where the process traces and the statement is part of a trace: what runs by itself, such as
// the renewal of a lease, makes none. A statement has its values apart; those are left out.
import type { Knex } from "knex";
import { ATTRIBUTES, tracing, type Span } from "../tracing/index.ts";

/** `postgresql`, `sqlite`: the names of OpenTelemetry. */
export type DatabaseSystem = "postgresql" | "sqlite";

interface Statement {
  readonly sql: string;
  /** Names this execution of it in each event. */
  readonly __knexQueryUid?: string;
}

export function traceStatements(knex: Knex, system: DatabaseSystem, namespace: string): void {
  const active = tracing();
  if (!active) return;
  const open = new Map<string, Span>();
  const end = ({ __knexQueryUid: id }: Statement, error?: unknown): void => {
    if (id === undefined) return;
    open.get(id)?.end(error);
    open.delete(id);
  };
  knex.on("query", ({ sql, __knexQueryUid: id }: Statement) => {
    // The begin of a transaction has no id.
    if (id === undefined || active.current() === undefined) return;
    open.set(id, active.begin(statementSpan(sql, system, namespace)));
  });
  knex.on("query-response", (_response: unknown, statement: Statement) => end(statement));
  knex.on("query-error", (error: Error, statement: Statement) => end(statement, error));
}

/** Sends a statement without knex. */
type Send = <T>(sql: string, send: () => Promise<T>) => Promise<T>;

/** For code that sends statements without knex: does the sending as a span, where that is part of a trace. */
export function tracedStatements(system: DatabaseSystem, namespace: string): Send {
  const active = tracing();
  if (!active) return (_sql, send) => send();
  return (sql, send) => {
    if (active.current() === undefined) return send();
    return active.within(statementSpan(sql, system, namespace), send);
  };
}

const OPERATION = /^\s*(\w+)/;
const TABLE = /\b(?:from|into|update|join)\s+["`]?([\w.-]+)/i;

/** Named by what it does and to which table, `select loans`: the text has as many forms as rows. */
export function statementSpan(sql: string, system: DatabaseSystem, namespace: string) {
  const operation = OPERATION.exec(sql)?.[1]?.toUpperCase() ?? "SQL";
  const table = TABLE.exec(sql)?.[1];
  return {
    name: table === undefined ? operation : `${operation} ${table}`,
    kind: "client",
    attributes: {
      [ATTRIBUTES.dbSystem]: system,
      [ATTRIBUTES.dbNamespace]: namespace,
      [ATTRIBUTES.dbOperation]: operation,
      [ATTRIBUTES.dbCollection]: table,
      [ATTRIBUTES.dbQuery]: sql,
    },
  } as const;
}
