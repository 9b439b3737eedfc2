// The log of a service's actors, as other services see it: decoded, in the store's order.
import { eventIdOf, plainError } from "../kernel/index.ts";
import { nextMark, type EventStore, type PlaceChecks, type StoredEvent } from "../event-store/index.ts";
import type { Cursor, LogEvent, LogPage } from "../stream/index.ts";
import type { LogPart } from "../stream/siblings.ts";
import type { Actor } from "./define-actor.ts";
import { bytesOf, readPage } from "./log-page.ts";
import { decode, publicMetadata } from "./load.ts";

/** Pages of the store read for one page of the log: a store that holds mostly others' streams would keep a caller waiting. */
const STORE_PAGES_MAX = 20;

/** A log within a store. */
export interface OwnedLog {
  /** The actor type of its events. */
  readonly actor: string;
  /** The event as others see it; undefined for one that is not of this log. */
  readonly read: (event: StoredEvent) => LogEvent | undefined;
}

/** The log of an actor's streams; see `readLogOf`. */
export function readLog(actor: Actor, ...rest: Tail<Parameters<typeof readLogOf>>): Promise<LogPage> {
  const name = actor.contract.actor;
  const prefix = `${name}.`;
  const read = (event: StoredEvent) => (event.stream.startsWith(prefix) ? toLogEvent(actor, event) : undefined);
  return readLogOf({ actor: name, read }, ...rest);
}
type Tail<T extends readonly unknown[]> = T extends readonly [unknown, ...infer R] ? R : never;

/**
 * The next events of a log after `cursor`, or why that place is not in this log. What else shares the store is passed
 * over: the cursor moves past it. At the log's end, which it tells, after 20 pages of the
 * store, or where more would have more than `bytesMax`, the page has fewer than `limit` events; with a `limit` of 0 it says
 * where the end is.
 */
export async function readLogOf(
  { actor, read }: OwnedLog,
  store: EventStore,
  checks: PlaceChecks,
  cursor: Cursor,
  limit: number,
  markBefore?: string,
  bytesMax = Infinity,
): Promise<LogPage> {
  const fault = await faultOf(actor, store, checks, cursor, markBefore);
  if (fault) return { events: [], cursor, fault };
  if (limit === 0) {
    const { cursor: head, behind } = await store.head(cursor);
    return { events: [], cursor, mark: markBefore, behind, head };
  }
  const events: LogEvent[] = [];
  let [reached, mark] = [cursor, markBefore];
  let bytes = 0;
  let isAtEnd = false;
  for (let pages = 0; pages < STORE_PAGES_MAX && events.length < limit && bytes < bytesMax; pages++) {
    const wanted = limit - events.length;
    const page = await readPage(store, reached, wanted, bytesMax - bytes);
    reached = page.cursor;
    bytes += bytesOf(page.events);
    mark = nextMark(mark, page.mark);
    events.push(...page.events.flatMap(event => read(event) ?? []));
    if (page.events.length >= wanted) continue;
    isAtEnd = !page.isCut;
    break;
  }
  checks.given(reached, mark);
  return { events, cursor: reached, mark, isAtEnd, bytes };
}

/**
 * The next events of an actor's log, of which only those of streams that `takes` says yes to are decoded: for one of the nodes
 * that share its publishing. It reads one page of the store.
 */
export async function readPart(
  actor: Actor,
  store: EventStore,
  checks: PlaceChecks,
  cursor: Cursor,
  limit: number,
  markBefore: string | undefined,
  takes: (stream: string) => boolean,
): Promise<LogPart> {
  const name = actor.contract.actor;
  const fault = await faultOf(name, store, checks, cursor, markBefore);
  if (fault) return { entries: [], cursor, mark: undefined, isAtEnd: false, fault };
  const page = await store.readAll(cursor, limit);
  const mark = nextMark(markBefore, page.mark);
  checks.given(page.cursor, mark);
  const entries = page.events.flatMap((event, i) => {
    if (!event.stream.startsWith(`${name}.`)) return [];
    return {
      stream: event.stream,
      event: takes(event.stream) ? toLogEvent(actor, event) : undefined,
      cursor: page.cursorAt(i),
      mark: () => page.markAt(i),
    };
  });
  return { entries, cursor: page.cursor, mark, isAtEnd: page.events.length < limit };
}

/** Why a place is not in the log of an actor; undefined if it is. */
async function faultOf(
  actor: string,
  store: EventStore,
  checks: PlaceChecks,
  cursor: Cursor,
  mark: string | undefined,
): Promise<LogPage["fault"]> {
  const reason = await checks.faultOf(cursor, mark);
  if (reason === undefined) return undefined;
  const { cursor: head } = await store.head("");
  return { reason, head, actor };
}

/**
 * A stored event as other services see it. One that cannot be decoded stays raw and says why (`broken`): its readers park the
 * stream; unless a newer release wrote it (`isNewer`): then they ask a node that can read it.
 */
export function toLogEvent(actor: Actor, event: StoredEvent): LogEvent {
  const prefix = actor.contract.actor.length + 1;
  const log = {
    eventId: eventIdOf(event.stream, event.version),
    actor: actor.contract.actor as string,
    stream: event.stream.slice(prefix),
    version: event.version,
    at: event.at,
    metadata: {},
  };
  try {
    return { ...log, metadata: publicMetadata(event), ...decode(actor, event) } as LogEvent;
  } catch (error) {
    const { type, message } = plainError(error);
    const isNewer = type === "UNREADABLE_HERE" && { isNewer: true };
    return { ...log, type: event.type, data: event.data, broken: message, ...isNewer } as unknown as LogEvent;
  }
}
