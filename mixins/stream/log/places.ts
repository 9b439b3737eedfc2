// Places in a log, and their parts: a log on several databases has a place in each (source.ts).
import { cursorOf, nextMark, partsOf, placesOf } from "../../event-store/index.ts";
import { isAtOrPast, leastOf, type Cursor } from "./source.ts";

/** After `cursor`, which came with `mark`; `""` is the start of the log. */
export interface Place {
  readonly cursor: Cursor;
  /** Tells the cursor from the same one in another log. */
  readonly mark?: string | undefined;
}

/** A place in one database: `<shard>=<place>`. The start of its log is `""`. */
export function partOf({ cursor, mark }: Place, shard: number): Place {
  const place = placesOf(cursor).get(shard) ?? "";
  const part = mark === undefined ? undefined : partsOf(mark)?.[shard];
  return {
    cursor: place === "" ? "" : cursorOf(new Map([[shard, place]])),
    mark: part && JSON.stringify({ [shard]: part }),
  };
}

/** The place after a page of one database. */
export const withPart = (place: Place, part: Place): Place => ({
  cursor: cursorOf(new Map([...placesOf(place.cursor), ...placesOf(part.cursor)])),
  mark: nextMark(place.mark, part.mark),
});

/** The shard of a place in one database. */
export const shardOf = (part: Cursor): number => Number.parseInt(part, 10);

/** The place up to which all readers at these have read. */
export function leastPlace(places: readonly Place[]): Place {
  const cursor = leastOf(places.map(place => place.cursor));
  const whole = places.find(place => place.cursor === cursor);
  if (whole) return whole;
  // None of them is behind in every database.
  let least: Place = { cursor: "" };
  for (const shard of placesOf(cursor).keys()) {
    const parts = places.map(place => partOf(place, shard));
    least = withPart(
      least,
      parts.find(part => parts.every(other => isAtOrPast(other.cursor, part.cursor)))!,
    );
  }
  return least;
}
