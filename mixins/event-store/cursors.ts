// A cursor of a store on several databases: a place in each, `<shard>=<place>` with commas between.
import type { Cursor } from "./event-store.ts";

/** By number of the shard. */
export function placesOf(cursor: Cursor): Map<number, Cursor> {
  const places = new Map<number, Cursor>();
  if (cursor === "") return places;
  for (const part of cursor.split(",")) {
    const [, shard, place] = /^(\d+)=([\d:]*)$/.exec(part) ?? [];
    // Written before there was more than one shard: what is now shard 0 was the whole.
    if (shard === undefined) places.set(0, part);
    else places.set(Number(shard), place!);
  }
  return places;
}

export const cursorOf = (places: ReadonlyMap<number, Cursor>): Cursor =>
  [...places]
    .filter(([, place]) => place !== "")
    .sort(([a], [b]) => a - b)
    .map(([shard, place]) => `${shard}=${place}`)
    .join(",");
