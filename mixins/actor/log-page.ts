// Pages of events that are bounded by their bytes as well: they travel on the bus.
import type { Cursor, EventStore, StoredEvent } from "../event-store/index.ts";

/** Bytes of an event beside its data, as consumers get it: ids, times, user. */
const ENVELOPE_BYTES = 500;

export const bytesOf = (events: readonly StoredEvent[]): number =>
  events.reduce((sum, { data }) => sum + Buffer.byteLength(data) + ENVELOPE_BYTES, 0);

/** How many of the first events fit into so many bytes; at least one, however large. */
export function fittingOf(events: readonly StoredEvent[], bytesMax: number): number {
  let bytes = 0;
  const first = events.findIndex(event => (bytes += bytesOf([event])) > bytesMax);
  return first < 0 ? events.length : Math.max(1, first);
}

/** As `readAll`; the page ends before the event with which it would have more than `bytesMax`, and is cut short then. */
export async function readPage(
  store: EventStore,
  cursor: Cursor,
  limit: number,
  bytesMax: number,
): Promise<Awaited<ReturnType<EventStore["readAll"]>> & { readonly isCut: boolean }> {
  // Only the store can say which cursor lies amid a page: so it is read again, shorter. That is seldom.
  for (let wanted = limit; ;) {
    const page = await store.readAll(cursor, wanted);
    const fitting = fittingOf(page.events, bytesMax);
    if (fitting >= page.events.length) return { ...page, isCut: wanted < limit };
    wanted = fitting;
  }
}
