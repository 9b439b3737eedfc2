// Pages of a list that several services have together. A cursor holds the last entry that was shown of each service, so a
// page begins after all that was shown, whatever the services have added, and no service has to skip rows.
import { badCursor, cursorOf, readCursor } from "../contract/index.ts";

/** One entry of a list, with the service that has it. */
export type Entry = Readonly<Record<string, unknown>> & { readonly service: string };

export interface Asked {
  /** The list and what narrows it: a cursor of another list is refused. */
  readonly list: string;
  readonly limit: number;
  readonly cursor: string | undefined;
  readonly services: readonly string[];
  /** The entries of a service after one of its own, in its own order, at most `limit`. */
  readonly read: (service: string, limit: number, after: string | undefined) => Promise<readonly Entry[]>;
  /** The order between services; entries of one service stay in theirs. Default: service by service. */
  readonly sort?: (a: Entry, b: Entry) => number;
}

/** A page, and the cursor of the next one if there is one. Refuses (422, field `cursor`) a cursor of another list. */
export async function pageOf(asked: Asked): Promise<{ entries: Entry[]; nextCursor?: string }> {
  const { list, limit, cursor, services, read, sort } = asked;
  const seen = cursor === undefined ? new Map<string, string>() : seenIn(cursor, list);
  const lists = await Promise.all(services.map(service => read(service, limit + 1, seen.get(service))));
  const found = lists.flat();
  if (sort) found.sort(sort);
  const entries = found.slice(0, limit);
  if (found.length <= limit) return { entries };
  for (const { service, id } of entries) seen.set(service, String(id));
  return { entries, nextCursor: cursorOf(list, [JSON.stringify([...seen])]) };
}

function seenIn(cursor: string, list: string): Map<string, string> {
  const [text] = readCursor(cursor, list, 1);
  try {
    const pairs: unknown = JSON.parse(String(text));
    if (Array.isArray(pairs) && pairs.every(isPair)) return new Map(pairs);
  } catch {
    // No list of pairs: refused below.
  }
  throw badCursor();
}

const isPair = (value: unknown): value is [string, string] =>
  Array.isArray(value) && value.length === 2 && value.every(part => typeof part === "string");
