// The log of a service's actors, as other services see it: decoded, in the store's order.
import { eventIdOf } from "../kernel/index.ts";
import { nextMark, type EventStore, type PlaceChecks, type StoredEvent } from "../event-store/index.ts";
import type { Cursor, LogEvent, LogPage } from "../stream/index.ts";
import type { Actor } from "./define-actor.ts";
import { decode } from "./load.ts";

/** Pages of the store read for one page of the log: a store that holds mostly others' streams must not keep a caller waiting. */
const STORE_PAGES_MAX = 20;

/**
 * The next events of this actor's streams after `cursor`, or why that place is not in this log. The journals of sagas
 * that share the store are passed over: the cursor moves past them. At the log's end, or after 20 pages of the store, the
 * page has fewer than `limit` events; with a `limit` of 0 it says where the end is.
 */
export async function readLog(
  actor: Actor,
  store: EventStore,
  checks: PlaceChecks,
  cursor: Cursor,
  limit: number,
  markBefore?: string,
): Promise<LogPage> {
  const reason = await checks.faultOf(cursor, markBefore);
  if (reason !== undefined) {
    const { cursor: head } = await store.head("");
    return { events: [], cursor, fault: { reason, head, actor: actor.contract.actor } };
  }
  if (limit === 0) {
    const { cursor: head, behind } = await store.head(cursor);
    return { events: [], cursor, mark: markBefore, behind, head };
  }
  const prefix = `${actor.contract.actor}.`;
  const events: LogEvent[] = [];
  let [reached, mark] = [cursor, markBefore];
  for (let pages = 0; pages < STORE_PAGES_MAX && events.length < limit; pages++) {
    const wanted = limit - events.length;
    const page = await store.readAll(reached, wanted);
    reached = page.cursor;
    mark = nextMark(mark, page.mark);
    for (const event of page.events) if (event.stream.startsWith(prefix)) events.push(toLogEvent(actor, event));
    if (page.events.length < wanted) break;
  }
  checks.given(reached, mark);
  return { events, cursor: reached, mark };
}

/** A stored event as other services see it. One that cannot be decoded says so and stays raw: its readers park the stream. */
export function toLogEvent(actor: Actor, event: StoredEvent): LogEvent {
  const prefix = actor.contract.actor.length + 1;
  const { user, requestId, commandId } = JSON.parse(event.metadata || "{}");
  const log = {
    eventId: eventIdOf(event.stream, event.version),
    actor: actor.contract.actor as string,
    stream: event.stream.slice(prefix),
    version: event.version,
    at: event.at,
    metadata: { ...(user && { user }), ...(requestId && { requestId }), ...(commandId && { commandId }) },
  };
  try {
    return { ...log, ...decode(actor, event) } as LogEvent;
  } catch (error) {
    return { ...log, type: event.type, data: event.data, broken: (error as Error).message } as unknown as LogEvent;
  }
}
