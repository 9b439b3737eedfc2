// From the store to a state: snapshot, upcasting, folding. A stream that cannot be read is one of three things:
//
//   damage          a hole in the versions, also at the end; text that is no JSON. Quarantine, believed by every node.
//   not by us       a fold or an upcaster throws. Quarantine for this release (quarantine.ts); others try for themselves.
//   newer           an event type or version that this node does not know: a newer release wrote it. Unavailable here, and
//                   nothing is written about it.
// A read of the store that fails is none of them: its error is thrown as it is.
import { setImmediate as turn } from "node:timers/promises";
import { deepFreeze, Bug, eventIdOf, plainError, type Unavailable } from "../kernel/index.ts";
import { compileSchema, strictObject, type AnyContract, type Check, type HistoryEntry } from "../contract/index.ts";
import {
  storeErrors,
  upcast,
  type EventStore,
  type LoadedStream,
  type StoredEvent,
  type StoredSnapshot,
} from "../event-store/index.ts";
import { evolveAll, initialOf, type Actor, type PlainEvent } from "./define-actor.ts";
import { beliefIn, damagedReason, releaseOf, unreadableReason } from "./quarantine.ts";
import { actorErrors } from "./errors.ts";

/** Bugs that every node would meet. */
const DAMAGE: readonly unknown[] = ["HOLE_IN_STREAM", "EVENT_DAMAGED"];
/** Bugs that another release may not have. */
const OF_THIS_CODE: readonly unknown[] = ["CANNOT_DECODE", "CANNOT_FOLD"];

/**
 * An event as today's code knows it. Throws, with its place, Unavailable `UNREADABLE_HERE` for a type or version that only
 * a newer release knows; Bug `EVENT_DAMAGED`; Bug `CANNOT_DECODE` when an upcaster is missing or throws.
 */
export function decode(actor: Actor, event: StoredEvent): PlainEvent {
  const { contract, upcasters } = actor;
  const { type, schemaVersion, data } = event;
  if (!Object.hasOwn(contract.events, type)) throw newer(event, `unknown event type "${type}"`);
  const current = contract.versions[type] ?? 1;
  if (schemaVersion > current)
    throw newer(event, `${type} is stored in version ${schemaVersion}, this code knows ${current}`);
  const stored = parsed(event, data);
  try {
    return { type, data: upcast(type, schemaVersion, stored, current, upcasters?.[type] ?? {}) };
  } catch (error) {
    throw unreadable(actorErrors.CANNOT_DECODE, event, error);
  }
}

/** All that is stored with an event. Throws Bug `EVENT_DAMAGED`. */
export const metadataOf = (event: StoredEvent): object => parsed(event, event.metadata || "{}");

/** The user, request and command of an event. Throws Bug `EVENT_DAMAGED`. */
export function publicMetadata(event: StoredEvent): HistoryEntry["metadata"] {
  const { user, key, caller, node, requestId, commandId, traceparent, tracestate } = metadataOf(event) as Record<
    string,
    string | undefined
  >;
  return {
    ...(user && { user }),
    ...(key && { key }),
    ...(caller && { caller }),
    ...(node && { node }),
    ...(requestId && { requestId }),
    ...(commandId && { commandId }),
    ...(traceparent && { traceparent }),
    ...(tracestate && { tracestate }),
  };
}

function parsed(event: StoredEvent, text: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw unreadable(actorErrors.EVENT_DAMAGED, event, error);
  }
  if (typeof value !== "object" || value === null)
    throw unreadable(actorErrors.EVENT_DAMAGED, event, `it holds ${text}`);
  return value;
}

function evolve(actor: Actor, state: unknown, event: StoredEvent): unknown {
  const decoded = decode(actor, event);
  try {
    return evolveAll(actor, state, [decoded]);
  } catch (error) {
    throw unreadable(actorErrors.CANNOT_FOLD, event, error);
  }
}

type Unreadable = (typeof actorErrors)["EVENT_DAMAGED" | "CANNOT_DECODE" | "CANNOT_FOLD"];

/** Names the event, which an operator has to find. */
function unreadable(error: Unreadable, { stream, version }: StoredEvent, cause: unknown): Bug {
  return error({ event: eventIdOf(stream, version), reason: plainError(cause).message, cause });
}

const newer = ({ stream, version }: StoredEvent, reason: string): Unavailable =>
  unreadableHere(`${eventIdOf(stream, version)}: ${reason}`);

/** A node of another release may answer; all nodes do once the roll-out is over. */
const unreadableHere = (message: string): Unavailable => storeErrors.UNREADABLE_HERE({ message, elsewhere: true });

/** Folds a run of one stream's events, a chunk a turn of the loop. Throws at a hole in the versions. */
export async function foldStored(
  actor: Actor,
  from: { state: unknown; version: number },
  events: readonly StoredEvent[],
  chunk: number,
): Promise<{ state: unknown; version: number }> {
  let { state, version } = from;
  for (let start = 0; start < events.length; start += chunk) {
    if (start > 0) await turn();
    for (const event of events.slice(start, start + chunk)) {
      if (event.version !== version + 1)
        throw actorErrors.HOLE_IN_STREAM({ message: `${event.stream}: version ${event.version} follows ${version}` });
      state = evolve(actor, state, event);
      version = event.version;
    }
  }
  return { state, version };
}

/** A loaded stream. */
export interface Loaded {
  readonly version: number;
  readonly state: unknown;
  readonly snapshotVersion: number;
  /** It takes no new command. */
  readonly archived: boolean;
}

/**
 * Loads a stream. Throws Unavailable `STREAM_QUARANTINED` for one that is damaged or that several releases cannot read,
 * until an operator releases it; `UNREADABLE_HERE` for one that only this release cannot read; and the errors of the
 * store's reads.
 */
export async function loadState(
  actor: Actor,
  store: EventStore,
  stream: string,
  chunk: number,
  onQuarantine: (reason: string) => void = () => {},
): Promise<Loaded> {
  const loaded = await store.load(stream, actor.snapshotSchema ?? 1);
  const { quarantine } = loaded;
  if (quarantine !== undefined) mustBeTried(actor, stream, quarantine);
  const putAside = async (reason: string): Promise<never> => {
    await store.quarantine(stream, reason);
    onQuarantine(reason);
    mustBeTried(actor, stream, reason);
    throw quarantined(stream, reason);
  };
  try {
    const state = await readTwice(actor, store, loaded, stream, chunk);
    if (quarantine !== undefined) await store.release(stream);
    return state;
  } catch (error) {
    const { type, message } = plainError(error);
    if (error instanceof Bug && DAMAGE.includes(type)) return putAside(damagedReason(message));
    if (error instanceof Bug && OF_THIS_CODE.includes(type))
      return putAside(unreadableReason(quarantine, releaseOf(actor), message));
    throw error;
  }
}

/** Throws unless this node has to find out for itself whether the stream can be read. */
function mustBeTried(actor: Actor, stream: string, reason: string): void {
  const belief = beliefIn(reason, releaseOf(actor));
  if (belief === "unreadable here") throw unreadableHere(`${stream}: ${reason}`);
  if (belief !== "to be tried") throw quarantined(stream, reason);
}

/**
 * Rows are counted as missing only if they are missing twice: between two statements of a read its stream may be archived,
 * or grow.
 */
async function readTwice(
  actor: Actor,
  store: EventStore,
  loaded: LoadedStream,
  stream: string,
  chunk: number,
): Promise<Loaded> {
  let reached: number | undefined;
  try {
    const state = await readState(actor, store, loaded, stream, chunk);
    if (state.version === loaded.version) return state;
    reached = state.version;
  } catch (error) {
    if (plainError(error).type !== "HOLE_IN_STREAM") throw error;
  }
  const again = await store.load(stream, actor.snapshotSchema ?? 1);
  const state = await readState(actor, store, again, stream, chunk);
  const head = again.version;
  if (state.version < head || (reached !== undefined && reached > head))
    throw actorErrors.HOLE_IN_STREAM({
      message: `${stream}: its head is version ${head}, its events end at ${Math.max(state.version, reached ?? 0)}`,
    });
  return state;
}

async function readState(
  actor: Actor,
  store: EventStore,
  { version: head, snapshot, events, archived }: LoadedStream,
  stream: string,
  chunk: number,
): Promise<Loaded> {
  const kept = snapshot && readSnapshot(actor, snapshot, head);
  if (snapshot && kept === undefined) return { ...(await loadWithoutSnapshot(actor, store, stream, chunk)), archived };
  const from = snapshot
    ? { state: kept, version: snapshot.version }
    : { state: deepFreeze(initialOf(actor)), version: 0 };
  const { state, version } = await foldStored(actor, from, events, chunk);
  return { state, version, snapshotVersion: from.version, archived };
}

/**
 * A snapshot is a cache: one that cannot be read, that is no state of this actor or that is not of its stream is as
 * good as none. Folded on, a damaged one would give a wrong state unnoticed.
 */
function readSnapshot({ contract }: Actor, snapshot: StoredSnapshot, head: number): unknown {
  if (!(snapshot.version > 0 && snapshot.version <= head)) return undefined;
  const isState = stateCheckOf(contract);
  try {
    const state: unknown = JSON.parse(snapshot.state);
    return isState(state) === true ? state : undefined;
  } catch {
    return undefined;
  }
}

const stateChecks = new WeakMap<AnyContract, Check>();
function stateCheckOf(contract: AnyContract): Check {
  let check = stateChecks.get(contract);
  if (!check) stateChecks.set(contract, (check = compileSchema(strictObject(contract.state))));
  return check;
}

/** Folds a stream from its first event, page by page. */
export async function loadWithoutSnapshot(
  actor: Actor,
  store: EventStore,
  stream: string,
  chunk: number,
  upTo = Number.MAX_SAFE_INTEGER,
): Promise<{ version: number; state: unknown; snapshotVersion: number }> {
  let folded: { state: unknown; version: number } = { state: deepFreeze(initialOf(actor)), version: 0 };
  while (folded.version < upTo) {
    const page = await store.readStream(stream, folded.version + 1, Math.min(chunk, upTo - folded.version));
    if (page.length === 0) break;
    folded = await foldStored(actor, folded, page, chunk);
  }
  return { ...folded, snapshotVersion: 0 };
}

const quarantined = (stream: string, reason: string): Unavailable => actorErrors.STREAM_QUARANTINED({ stream, reason });
