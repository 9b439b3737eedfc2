// The record of one actor: its history, its state at any version, and what today's code would have done.
import { isDeepStrictEqual } from "node:util";
import { deepFreeze, idFrom, isRefusal } from "../kernel/index.ts";
import type { HistoryEntry, Snapshot, WhatIf } from "../contract/index.ts";
import type { EventStore } from "../event-store/index.ts";
import { decide, decisionOf } from "./decision.ts";
import { initialOf, type Actor } from "./define-actor.ts";
import { decode, foldStored, loadWithoutSnapshot, metadataOf, publicMetadata } from "./load.ts";
import { actorErrors } from "./errors.ts";

/** Ids that a decision makes come from stream, version and count: decided again, it makes the same ones. */
export const decisionId = (stream: string, version: number, n: number): string => idFrom(stream, `${version}`, `${n}`);

/** Stored with the first event of a command, besides the user and the request: enough to decide it again. */
interface Cause {
  readonly command?: string;
  readonly params?: unknown;
  readonly now?: string;
  /** Number of the command's events, if not one. */
  readonly events?: number;
}

/** Events as people read them, from version `from`, at most `limit`. */
export async function history(
  actor: Actor,
  store: EventStore,
  stream: string,
  from: number,
  limit: number,
): Promise<HistoryEntry[]> {
  const events = await store.readStream(stream, from, limit);
  return events.map(event => {
    const { type, data } = decode(actor, event);
    const metadata = publicMetadata(event);
    return { type, version: event.version, at: event.at, data: data as Record<string, unknown>, metadata };
  });
}

/** Time travel: the state right after `version`. Refused (`VERSION_NOT_FOUND`) past the head. */
export async function stateAt(
  actor: Actor,
  store: EventStore,
  id: string,
  stream: string,
  version: number,
  chunk: number,
): Promise<Snapshot<unknown>> {
  const reached = await loadWithoutSnapshot(actor, store, stream, chunk, version);
  if (reached.version < version && (await store.load(stream, actor.snapshotSchema ?? 1)).version >= version)
    throw actorErrors.HOLE_IN_STREAM({ stream, version: reached.version });
  if (reached.version < version)
    throw actorErrors.VERSION_NOT_FOUND({ field: "version", stream, version: reached.version });
  return { id, version, state: reached.state };
}

/**
 * Decides every recorded command again with today's code and compares the events. The results of `prepare` are not
 * recorded: commands that prepare are only folded.
 */
export async function whatIf(
  actor: Actor,
  store: EventStore,
  id: string,
  stream: string,
  chunk: number,
): Promise<WhatIf> {
  const differences: WhatIf["differences"] = [];
  let before = { state: deepFreeze(initialOf(actor)), version: 0 };
  for (;;) {
    const page = await store.readStream(stream, before.version + 1, chunk);
    if (page.length === 0) {
      await mustHaveEnded(actor, store, stream, before.version);
      return { id, version: before.version, differences };
    }
    // A page may end amid a command's events; those of the last command are then read with the next page.
    const last = page.at(-1)!;
    for (let i = 0; i < page.length;) {
      const cause = metadataOf(page[i]!) as Cause;
      const made = Number.isSafeInteger(cause.events) ? Math.max(1, cause.events!) : 1;
      const count = Math.min(made, page.length - i);
      if (count < made && i > 0 && last.version - page[0]!.version + 1 === chunk) break;
      const events = page.slice(i, i + count);
      const after = await foldStored(actor, before, events, chunk);
      const recorded = events.map(event => decode(actor, event));
      const actual = decideAgain(actor, id, stream, before.version, before.state, cause);
      if (actual !== undefined && !isDeepStrictEqual(actual, plain(recorded)))
        differences.push({ version: before.version + 1, expected: recorded, actual });
      before = { state: deepFreeze(after.state), version: after.version };
      i += count;
    }
  }
}

/** Throws Bug `HOLE_IN_STREAM` where the stream goes on past its last event. */
async function mustHaveEnded(actor: Actor, store: EventStore, stream: string, version: number): Promise<void> {
  const { version: head } = await store.load(stream, actor.snapshotSchema ?? 1);
  if (head > version && (await store.readStream(stream, version + 1, 1)).length === 0)
    throw actorErrors.HOLE_IN_STREAM({ stream, version });
}

function decideAgain(actor: Actor, id: string, stream: string, version: number, state: unknown, cause: Cause): unknown {
  const { command, params, now } = cause;
  if (command === undefined || now === undefined || actor.prepare?.[command]) return undefined;
  if (!Object.hasOwn(actor.decide, command)) return { refused: "UNKNOWN_COMMAND", command };
  let ids = 0;
  try {
    const decision = decisionOf(id, now, () => decisionId(stream, version, ids++));
    return plain(decide(actor, state, command, params, decision).events);
  } catch (error) {
    return { refused: isRefusal(error) ? error.type : String(error), command };
  }
}

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value)) as unknown;
