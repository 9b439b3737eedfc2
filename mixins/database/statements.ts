// A span for each statement of knex, where the process traces and the statement is part of a trace: what runs by itself, such as
// the renewal of a lease, makes none. A statement has its values apart; those are left out.
import type { Knex } from "knex";
import { ATTRIBUTES, tracing, type Attributes, type Span, type SpanStart } from "../tracing/index.ts";

/** `postgresql`, `sqlite`: the names of OpenTelemetry. */
export type DatabaseSystem = "postgresql" | "sqlite";

/**
 * For `queryContext`: a statement by which the runtime keeps its books within a batch of events. There are a quarter as many of
 * them as of all other spans; each is a span only if it fails or is slow, such as one that waits for a lock.
 */
export const BOOKKEEPING = { isBookkeeping: true } as const;

/** Milliseconds from which a statement of bookkeeping is a span. */
const BOOKKEEPING_SLOW_MS = 5;

interface Statement {
  readonly sql: string;
  /** Names this execution of it in each event. */
  readonly __knexQueryUid?: string;
  readonly queryContext?: unknown;
}

/** A statement that may become a span when it has ended. */
type Noted = SpanStart & { readonly at: number };

export function traceStatements(knex: Knex, system: DatabaseSystem, namespace: string): void {
  const active = tracing();
  if (!active) return;
  const open = new Map<string, Span | Noted>();
  const end = ({ __knexQueryUid: id }: Statement, error?: unknown): void => {
    const statement = id === undefined ? undefined : open.get(id);
    if (!statement) return;
    open.delete(id!);
    if ("end" in statement) statement.end(error);
    else if (error !== undefined || performance.now() - statement.at >= BOOKKEEPING_SLOW_MS)
      active.begin(statement).end(error);
  };
  knex.on("query", ({ sql, __knexQueryUid: id, queryContext }: Statement) => {
    const parent = active.current();
    // The begin of a transaction has no id.
    if (id === undefined || parent === undefined) return;
    const start = statementSpan(sql, system, namespace);
    if (queryContext === BOOKKEEPING) open.set(id, { ...start, parent, at: performance.now() });
    else open.set(id, active.begin(start));
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

/**
 * Named by what it does and to which table, `select loans`: the text has as many forms as rows. It is read only if the span is
 * kept.
 */
export function statementSpan(sql: string, system: DatabaseSystem, namespace: string) {
  return {
    name: (): string => nameOf(sql),
    kind: "client",
    attributes: (): Attributes => ({
      [ATTRIBUTES.dbSystem]: system,
      [ATTRIBUTES.dbNamespace]: namespace,
      [ATTRIBUTES.dbOperation]: operationOf(sql),
      [ATTRIBUTES.dbCollection]: tableOf(sql),
      [ATTRIBUTES.dbQuery]: sql,
    }),
  } as const;
}

function nameOf(sql: string): string {
  const table = tableOf(sql);
  return table === undefined ? operationOf(sql) : `${operationOf(sql)} ${table}`;
}

const operationOf = (sql: string): string => OPERATION.exec(sql)?.[1]?.toUpperCase() ?? "SQL";
const tableOf = (sql: string): string | undefined => TABLE.exec(sql)?.[1];
