// Streams by the beginning of their names, which are of ASCII: a range of the index of names, whatever it finds.
import type { EventStore } from "./event-store.ts";

/** The first streams, in the order of their names, whose name is `prefix` or begins with it. */
export async function streamsLike(
  store: Pick<EventStore, "streamsByName">,
  prefix: string,
  limit: number,
): Promise<{ stream: string; version: number; archived: boolean }[]> {
  const last = prefix.charCodeAt(prefix.length - 1);
  // The greatest name before the prefix itself: `ab` comes after `aa~`, and no name has a character beyond `~`.
  const before = `${prefix.slice(0, -1)}${String.fromCharCode(last - 1)}~`;
  const streams = await store.streamsByName(before, limit);
  return streams.filter(({ stream }) => stream.startsWith(prefix));
}
