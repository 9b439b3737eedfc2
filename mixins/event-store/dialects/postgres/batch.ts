// A batch as the arguments of the two functions that commit it.
import { bucketOf } from "../../buckets.ts";
import type { BatchVerdict, Upkeep } from "../../dialect.ts";
import type { Append } from "../../event-store.ts";
import { rfc3339 } from "../../../kernel/index.ts";
import { intArray, smallintArray, textArray } from "./arrays.ts";

export interface Statement {
  readonly text: string;
  readonly values: unknown[];
}

const call = (name: string, values: unknown[]): Statement => ({
  text: `select * from ${name}(${values.map((_, i) => `$${i + 1}`).join(",")})`,
  values,
});

/** A stream within a batch whose appends fit together. */
interface Chain {
  readonly stream: string;
  readonly before: number;
  after: number;
  /** Whether anything is written for it. */
  changes: boolean;
}

/**
 * The batch for `append_batch`, or undefined when its appends do not even fit each other: then only their verdicts can
 * tell.
 */
export function plainBatch(appends: readonly Append[], upkeep: readonly Upkeep[]): Statement | undefined {
  const chains = new Map<string, Chain>();
  for (const { stream, expectedVersion, commandId, events } of appends) {
    let chain = chains.get(stream);
    if (!chain)
      chains.set(stream, (chain = { stream, before: expectedVersion, after: expectedVersion, changes: false }));
    if (chain.after !== expectedVersion) return undefined;
    chain.after += events.length;
    if (commandId !== undefined) chain.changes = true;
  }
  const sorted = [...chains.values()].sort((a, b) => (a.stream < b.stream ? -1 : 1));
  const born = sorted.filter(chain => chain.changes && chain.before === 0);
  const grown = sorted.filter(chain => chain.changes && chain.before > 0);
  const checked = sorted.filter(chain => !chain.changes);
  const numbers = new Map<string, number>();
  for (const [i, { stream }] of [...born, ...grown].entries()) numbers.set(stream, i + 1);

  const commands = appends.filter(append => append.commandId !== undefined);
  const versionAfter = (append: Append): number => append.expectedVersion + append.events.length;
  const events = commands.flatMap(append =>
    append.events.map((event, i) => ({ event, append, version: append.expectedVersion + i + 1 })),
  );
  // The last row of a saga wins; in one statement it may come once only.
  const sagas = new Map(
    commands.flatMap(({ saga, stream }) => (saga ? [[saga.id, { ...saga, stream }] as const] : [])),
  );
  const lastRows = [...sagas.values()];
  const extras = extrasOf(appends, upkeep, { withSagas: false });
  const buckets = new Set([...chains.keys(), ...upkeep.map(({ stream }) => stream)].map(bucketOf));
  return call("append_batch", [
    smallintArray([...buckets].sort((a, b) => a - b)),
    textArray(born.map(({ stream }) => stream)),
    smallintArray(born.map(({ stream }) => bucketOf(stream))),
    intArray(born.map(({ after }) => after)),
    textArray(grown.map(({ stream }) => stream)),
    intArray(grown.map(({ before }) => before)),
    intArray(grown.map(({ after }) => after)),
    textArray(checked.map(({ stream }) => stream)),
    intArray(checked.map(({ before }) => before)),
    intArray(commands.map(({ stream }) => numbers.get(stream)!)),
    textArray(commands.map(({ commandId }) => commandId!)),
    intArray(commands.map(versionAfter)),
    textArray(commands.map(({ kind }) => kind)),
    textArray(commands.map(({ fingerprint }) => fingerprint)),
    textArray(commands.map(({ answer }) => answer)),
    intArray(events.map(({ append }) => numbers.get(append.stream)!)),
    intArray(events.map(({ version }) => version)),
    textArray(events.map(({ event }) => event.type)),
    intArray(events.map(({ event }) => event.schemaVersion)),
    textArray(events.map(({ event }) => event.data)),
    textArray(events.map(({ append }) => append.metadata)),
    intArray(lastRows.map(({ stream }) => numbers.get(stream)!)),
    textArray(lastRows.map(({ id }) => id)),
    textArray(lastRows.map(({ state }) => state)),
    textArray(lastRows.map(({ reason }) => reason && storable(reason))),
    // A stream that is only looked at has no number, and its appends no extras.
    extras === null ? intArray([]) : intArray(appends.map(({ stream }) => numbers.get(stream) ?? 0)),
    extras,
  ]);
}

/** The verdicts of a plain batch that was committed. */
export function plainVerdicts(appends: readonly Append[], recordedAt: number): BatchVerdict[] {
  const at = rfc3339(recordedAt);
  return appends.map(({ expectedVersion, events }) => ({ kind: "ok", version: expectedVersion + events.length, at }));
}

/** The batch for `append_verdicts`. */
export function verdictBatch(appends: readonly Append[], upkeep: readonly Upkeep[]): Statement {
  const streams = [...new Set(appends.map(({ stream }) => stream))].sort((a, b) => (a < b ? -1 : 1));
  const numbers = new Map(streams.map((stream, i) => [stream, i + 1]));
  const events = appends.flatMap((append, a) =>
    append.commandId === undefined
      ? []
      : append.events.map((event, i) => ({ event, append, number: a + 1, version: append.expectedVersion + i + 1 })),
  );
  return call("append_verdicts", [
    textArray(streams),
    smallintArray(streams.map(bucketOf)),
    intArray(appends.map(({ stream }) => numbers.get(stream)!)),
    intArray(appends.map(({ expectedVersion }) => expectedVersion)),
    intArray(appends.map(({ expectedVersion, events }) => expectedVersion + events.length)),
    textArray(appends.map(({ commandId }) => commandId ?? null)),
    textArray(appends.map(({ kind }) => kind)),
    textArray(appends.map(({ fingerprint }) => fingerprint)),
    textArray(appends.map(({ answer }) => answer)),
    intArray(events.map(({ number }) => number)),
    intArray(events.map(({ version }) => version)),
    textArray(events.map(({ event }) => event.type)),
    intArray(events.map(({ event }) => event.schemaVersion)),
    textArray(events.map(({ event }) => event.data)),
    textArray(events.map(({ append }) => append.metadata)),
    smallintArray(upkeep.map(({ stream }) => bucketOf(stream))),
    extrasOf(appends, upkeep, { withSagas: true }),
  ]);
}

/** A row that `append_verdicts` returns for an append. For upkeep it is `ok` or `fenced`, and nothing else. */
export interface VerdictRow {
  readonly verdict: BatchVerdict["kind"];
  readonly version: number;
  readonly kind: string;
  readonly fingerprint: string;
  readonly answer: string | null;
  readonly recorded_at: number;
}

export function verdictOf(row: VerdictRow, { commandId }: Append): BatchVerdict {
  const { verdict, version, kind, fingerprint, answer } = row;
  switch (verdict) {
    case "ok":
      return { kind: "ok", version, at: rfc3339(row.recorded_at) };
    case "duplicate":
      return { kind: "duplicate", first: { commandId: commandId!, kind, fingerprint, version, answer } };
    default:
      return { kind: verdict };
  }
}

/** Timers, sagas (unless they go as arrays) and upkeep as JSON, in order; null for none. `append` counts from 1. */
function extrasOf(
  appends: readonly Append[],
  upkeep: readonly Upkeep[],
  { withSagas }: { readonly withSagas: boolean },
): string | null {
  const extras: object[] = [];
  for (const [i, { commandId, timers = [], saga }] of appends.entries()) {
    if (commandId === undefined) continue;
    const append = i + 1;
    for (const timer of timers)
      if ("cancel" in timer) extras.push({ append, kind: "cancel-timer", id: timer.cancel });
      else {
        const { set: id, afterMs, command, params, cause } = timer;
        extras.push({ append, kind: "set-timer", id, after: Math.round(afterMs), command, params, cause });
      }
    if (saga && withSagas) extras.push({ append, kind: "saga", ...saga, reason: saga.reason && storable(saga.reason) });
  }
  for (const item of upkeep) extras.push({ ...upkeepRow(item), bucket: bucketOf(item.stream) });
  return extras.length === 0 ? null : JSON.stringify(extras);
}

/** Free text as Postgres can hold it: without NUL and half surrogate pairs. JSON text has neither. */
const storable = (text: string): string => text.toWellFormed().replaceAll("\0", "\ufffd");

function upkeepRow(upkeep: Upkeep): object {
  const { kind, stream } = upkeep;
  switch (kind) {
    case "snapshot":
      return { kind, stream, ...upkeep.snapshot };
    case "delete-timer":
      return { kind, id: upkeep.id, due: Date.parse(upkeep.dueAt) };
    case "postpone-timer":
      return { kind, id: upkeep.id, due: Date.parse(upkeep.dueAt), by: Math.round(upkeep.byMs) };
    case "archive":
      return { kind, stream, version: upkeep.version };
    case "quarantine":
      return { kind, stream, reason: storable(upkeep.reason) };
    case "release":
      return { kind, stream };
  }
}
