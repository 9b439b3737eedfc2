// From the store to a state: snapshot, upcasting, folding. What cannot be folded puts its stream aside, others go on.
import { setImmediate as turn } from "node:timers/promises";
import { Bug, eventIdOf, Unavailable } from "../kernel/index.ts";
import { compileSchema, strictObject, type AnyContract, type Check } from "../contract/index.ts";
import { upcast, type EventStore, type StoredEvent, type StoredSnapshot } from "../event-store/index.ts";
import { evolveAll, type Actor, type PlainEvent } from "./define-actor.ts";

/** An event as today's code knows it. Throws, with its place, when its type is unknown or an upcaster is missing or throws. */
export function decode(actor: Actor, event: StoredEvent): PlainEvent {
  const { contract, upcasters } = actor;
  const { type, schemaVersion, data } = event;
  if (!(type in contract.events)) throw unreadable("UNKNOWN_EVENT", event, `unknown event type "${type}"`);
  const current = contract.versions[type] ?? 1;
  try {
    return { type, data: upcast(type, schemaVersion, JSON.parse(data), current, upcasters?.[type] ?? {}) };
  } catch (error) {
    throw unreadable("CANNOT_DECODE", event, error);
  }
}

function evolve(actor: Actor, state: unknown, event: StoredEvent): unknown {
  const decoded = decode(actor, event);
  try {
    return evolveAll(actor, state, [decoded]);
  } catch (error) {
    throw unreadable("CANNOT_FOLD", event, error);
  }
}

/** Whoever mends a record looks for the event. */
function unreadable(type: string, { stream, version }: StoredEvent, cause: unknown): Bug {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new Bug(type, `${eventIdOf(stream, version)}: ${reason}`, { cause });
}

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
        throw new Bug("HOLE_IN_STREAM", `${event.stream}: version ${event.version} follows ${version}`);
      state = evolve(actor, state, event);
      version = event.version;
    }
  }
  return { state, version };
}

/** What an activation starts from. */
export interface Loaded {
  readonly version: number;
  readonly state: unknown;
  readonly snapshotVersion: number;
  /** It takes no new command. */
  readonly archived: boolean;
}

/**
 * Loads a stream. A stream that cannot be folded is put into quarantine with the reason; it and one that was there
 * already are unavailable (`STREAM_QUARANTINED`) until an operator releases them.
 */
export async function loadState(
  actor: Actor,
  store: EventStore,
  stream: string,
  chunk: number,
  onQuarantine: (reason: string) => void = () => {},
): Promise<Loaded> {
  const loaded = await store.load(stream, actor.snapshotSchema ?? 1);
  const { archived } = loaded;
  if (loaded.quarantine !== undefined) throw quarantined(stream, loaded.quarantine);
  try {
    const snapshot = loaded.snapshot && readSnapshot(actor, loaded.snapshot, loaded.version);
    if (loaded.snapshot && snapshot === undefined)
      return { ...(await loadWithoutSnapshot(actor, store, stream, chunk)), archived };
    const from = loaded.snapshot
      ? { state: snapshot, version: loaded.snapshot.version }
      : { state: actor.initial() as unknown, version: 0 };
    const { state, version } = await foldStored(actor, from, loaded.events, chunk);
    return { state, version, snapshotVersion: from.version, archived };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    await store.quarantine(stream, reason);
    onQuarantine(reason);
    throw quarantined(stream, reason);
  }
}

/**
 * A snapshot is a cache: one that cannot be read, that is no state of this actor or that is ahead of its stream is as
 * good as none. Folded on, a damaged one would lie without anybody noticing.
 */
function readSnapshot({ contract }: Actor, snapshot: StoredSnapshot, head: number): unknown {
  if (snapshot.version > head) return undefined;
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
  let folded: { state: unknown; version: number } = { state: actor.initial(), version: 0 };
  while (folded.version < upTo) {
    const page = await store.readStream(stream, folded.version + 1, Math.min(chunk, upTo - folded.version));
    if (page.length === 0) break;
    folded = await foldStored(actor, folded, page, chunk);
  }
  return { ...folded, snapshotVersion: 0 };
}

const quarantined = (stream: string, reason: string): Unavailable =>
  new Unavailable("STREAM_QUARANTINED", { message: `${stream} is in quarantine: ${reason}`, retryAfterMs: 60_000 });
