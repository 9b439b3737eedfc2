// The messages between the loop and the writer thread. A batch is one flat array of strings and numbers each way:
// cloning an object an append would cost as much as the rest of the loop's part.
import type { BatchVerdict, Upkeep } from "../../dialect.ts";
import type { Append, NewEvent, RecordedCommand, SagaRow, StreamPart, TimerChange } from "../../event-store.ts";

export type Cell = string | number | null;

/**
 * The requests that the writer thread answers, with their arguments and results. Rows are arrays, in the order of their
 * select.
 */
export interface Requests {
  commit: { args: [appends: Cell[], upkeep: readonly Upkeep[]]; result: Cell[] };
  load: { args: [stream: string, snapshotSchema: number, limit: number]; result: LoadedRows | undefined };
  readStream: { args: [stream: string, from: number, limit: number]; result: Row[] };
  findCommand: { args: [stream: string, commandId: string]; result: Row | undefined };
  readAll: { args: [after: number, limit: number]; result: Row[] };
  head: { args: []; result: number };
  identity: { args: []; result: string };
  streams: { args: [after: string | null, limit: number]; result: Row[] };
  streamsByName: { args: [after: string, limit: number]; result: Row[] };
  streamCount: { args: []; result: number };
  dueTimers: { args: [limit: number, part: StreamPart | null]; result: { now: number; rows: Row[] } };
  timers: { args: [limit: number, nextAt: number | null, id: string | null]; result: { now: number; rows: Row[] } };
  /** Looks at the positions below `below`, at most `positions`; `from` is the lowest of them, `at` the time of its event. */
  search: {
    args: [text: string, below: number, positions: number];
    result: { from: number; seen: number; at: number | null; rows: Row[] };
  };
  size: { args: []; result: { streams: number; events: number; bytes: number } };
  sagas: {
    args: [states: readonly string[], olderThanMs: number, after: string | null, limit: number, newestFirst: boolean];
    result: Row[];
  };
  quarantined: { args: [limit: number, at: number | null, stream: string | null]; result: Row[] };
  now: { args: []; result: number };
  close: { args: []; result: null };
}
export type Operation = keyof Requests;
export type Row = Cell[];
export interface LoadedRows {
  readonly version: number;
  readonly quarantine: string | null;
  readonly archived: boolean;
  readonly snapshot: Row | undefined;
  readonly events: Row[];
}

export type Request = {
  [O in Operation]: { readonly id: number; readonly op: O; readonly args: Requests[O]["args"] };
}[Operation];
export interface WireError {
  readonly type: string;
  readonly message: string;
  /** Whether the request may have taken effect. */
  readonly outcome: "none" | "unknown";
}
export type Response =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: WireError }
  /** The file is open, or cannot be. */
  | { readonly opened: true }
  | { readonly refused: WireError };

export function encodeAppends(appends: readonly Append[]): Cell[] {
  const cells: Cell[] = [];
  for (const append of appends) {
    const { events, timers = [], saga } = append;
    cells.push(
      append.stream,
      append.expectedVersion,
      append.commandId ?? null,
      append.kind,
      append.fingerprint,
      append.metadata,
      append.answer,
      events.length,
      timers.length,
      saga ? 1 : 0,
    );
    for (const event of events) cells.push(event.type, event.schemaVersion, event.data);
    for (const timer of timers)
      if ("set" in timer) cells.push(timer.set, timer.afterMs, timer.command, timer.params, timer.cause ?? null);
      else cells.push(timer.cancel, null, null, null, null);
    if (saga) cells.push(saga.id, saga.state, saga.reason);
  }
  return cells;
}

export function decodeAppends(cells: readonly Cell[]): Append[] {
  const appends: Append[] = [];
  let at = 0;
  const text = () => cells[at++] as string;
  const number = () => cells[at++] as number;
  const nullable = () => cells[at++] as string | null;
  while (at < cells.length) {
    const stream = text();
    const expectedVersion = number();
    const commandId = nullable() ?? undefined;
    const kind = text();
    const fingerprint = text();
    const metadata = text();
    const answer = nullable();
    const [eventCount, timerCount, hasSaga] = [number(), number(), number()];
    const events: NewEvent[] = [];
    for (let i = 0; i < eventCount; i++) events.push({ type: text(), schemaVersion: number(), data: text() });
    const timers: TimerChange[] = [];
    for (let i = 0; i < timerCount; i++) {
      const [id, afterMs, command, params] = [text(), cells[at++], text(), text()];
      const cause = nullable() ?? undefined;
      timers.push(typeof afterMs === "number" ? { set: id, afterMs, command, params, cause } : { cancel: id });
    }
    const saga = hasSaga ? { id: text(), state: text() as SagaRow["state"], reason: nullable() } : undefined;
    const append = { stream, expectedVersion, commandId, kind, fingerprint, events, metadata, answer, timers };
    appends.push(saga ? { ...append, saga } : append);
  }
  return appends;
}

// A verdict is one number, the version if it is ok; a duplicate's recorded command follows it.
const CONFLICT = -1;
const DUPLICATE = -2;

/** Verdict of the SQLite writer, which never fences. */
export type WriterVerdict =
  | { readonly kind: "ok"; readonly version: number }
  | { readonly kind: "conflict" }
  | { readonly kind: "duplicate"; readonly first: RecordedCommand };

export function encodeVerdicts(recordedAt: number, verdicts: readonly WriterVerdict[]): Cell[] {
  const cells: Cell[] = [recordedAt];
  for (const verdict of verdicts) {
    if (verdict.kind === "ok") cells.push(verdict.version);
    else if (verdict.kind === "conflict") cells.push(CONFLICT);
    else {
      const { commandId, kind, fingerprint, version, answer } = verdict.first;
      cells.push(DUPLICATE, commandId, kind, fingerprint, version, answer);
    }
  }
  return cells;
}

export function decodeVerdicts(cells: readonly Cell[]): BatchVerdict[] {
  const verdicts: BatchVerdict[] = [];
  const at = new Date(cells[0] as number).toISOString();
  for (let i = 1; i < cells.length; i++) {
    const code = cells[i] as number;
    if (code === DUPLICATE) {
      verdicts.push({ kind: "duplicate", first: recordedCommand(cells.slice(i + 1, i + 6)) });
      i += 5;
    } else verdicts.push(code === CONFLICT ? { kind: "conflict" } : { kind: "ok", version: code, at });
  }
  return verdicts;
}

export function recordedCommand(row: Row): RecordedCommand {
  const [commandId, kind, fingerprint, version, answer] = row as [string, string, string, number, string | null];
  return { commandId, kind, fingerprint, version, answer };
}
