// Pages of lists. Where several services have a list together, a cursor holds the last entry that was shown of each service, so a
// page begins after all that was shown, whatever the services have added, and no service has to skip rows.
import { badCursor, cursorOf, readCursor } from "../contract/index.ts";
import { askEach } from "./asking.ts";

/** A list that is at hand as a whole. */
export interface Whole<E> {
  /** The list: a cursor of another list is refused. */
  readonly list: string;
  readonly limit: number;
  readonly cursor: string | undefined;
  /** The parts of an entry's key, by which the list is sorted; no two entries have the same key. */
  readonly key: readonly ((entry: E) => string)[];
}

/**
 * A page of these entries, in the order of their keys, and the cursor of the next one if there is one: it holds the key of
 * the last entry. Refuses (422, field `cursor`) a cursor of another list.
 */
export function pageIn<E>(
  entries: readonly E[],
  { list, limit, cursor, key }: Whole<E>,
): { entries: E[]; nextCursor?: string } {
  const after = cursor === undefined ? undefined : readCursor(cursor, list, key.length);
  const sorted = entries.map(entry => ({ entry, at: key.map(part => part(entry)) }));
  sorted.sort((a, b) => compare(a.at, b.at));
  const rest = after === undefined ? sorted : sorted.filter(({ at }) => compare(at, after.map(String)) > 0);
  const shown = rest.slice(0, limit);
  return {
    entries: shown.map(({ entry }) => entry),
    ...(rest.length > limit && { nextCursor: cursorOf(list, shown.at(-1)!.at) }),
  };
}

function compare(a: readonly string[], b: readonly string[]): number {
  const at = a.findIndex((part, i) => part !== b[i]);
  return at < 0 ? 0 : a[at]! < b[at]! ? -1 : 1;
}

/** One entry of a list, with the service that has it. */
export type Entry = Readonly<Record<string, unknown>> & { readonly service: string };

/** Entries of a service that has looked at as many rows as it may: it goes on after `searchedTo`. */
export interface Portion {
  readonly entries: readonly Entry[];
  readonly searchedTo?: string | undefined;
}

export interface Asked {
  /** The list and what narrows it: a cursor of another list is refused. */
  readonly list: string;
  readonly limit: number;
  /** Bytes of the entries as JSON, one entry at least: they travel in one message of the bus. Default: no bound. */
  readonly bytesMax?: number;
  readonly cursor: string | undefined;
  readonly services: readonly string[];
  /** The entries of a service after one of its own, in its own order, at most `limit`. */
  readonly read: (service: string, limit: number, after: string | undefined) => Promise<readonly Entry[] | Portion>;
  /** The order between services; entries of one service stay in theirs. Default: service by service. */
  readonly sort?: (a: Entry, b: Entry) => number;
  /** The text after which a service goes on, from its last entry that was shown. Default: its id. */
  readonly key?: (entry: Entry) => string;
}

/**
 * A page, and the cursor of the next one if there is one. A service that does not answer is `silent`, and the others are
 * shown. Refuses (422, field `cursor`) a cursor of another list.
 */
export async function pageOf(asked: Asked): Promise<{ entries: Entry[]; silent: string[]; nextCursor?: string }> {
  const { list, limit, bytesMax = Infinity, cursor, services, read, sort, key = ({ id }) => String(id) } = asked;
  const seen = cursor === undefined ? new Map<string, string>() : seenIn(cursor, list);
  const { answers, silent } = await askEach(services, service => read(service, limit + 1, seen.get(service)));
  const lists = answers.map(({ service, answer }) => portionOf(service, answer));
  const found = lists.flatMap(({ entries }) => entries);
  if (sort) found.sort(sort);
  const entries = fitting(found.slice(0, limit), bytesMax);
  const searching = lists.filter(({ searchedTo }) => searchedTo !== undefined);
  if (found.length === entries.length && searching.length === 0) return { entries, silent };
  for (const entry of entries) seen.set(entry.service, key(entry));
  // Where all that a service has found is shown, it goes on behind the rows that it has passed over.
  const shown = new Set<unknown>(entries);
  for (const { service, searchedTo, entries: own } of searching)
    if (own.every(entry => shown.has(entry))) seen.set(service, searchedTo!);
  return { entries, silent, nextCursor: cursorOf(list, [JSON.stringify([...seen])]) };
}

/** The first entries, as many as fit in so many bytes. */
function fitting(entries: Entry[], bytesMax: number): Entry[] {
  if (bytesMax === Infinity) return entries;
  let room = bytesMax;
  const beyond = entries.findIndex((entry, i) => (room -= Buffer.byteLength(JSON.stringify(entry))) < 0 && i > 0);
  return beyond < 0 ? entries : entries.slice(0, beyond);
}

function portionOf(service: string, read: readonly Entry[] | Portion): Portion & { service: string } {
  return { service, ...(isList(read) ? { entries: read } : read) };
}

const isList = (read: readonly Entry[] | Portion): read is readonly Entry[] => Array.isArray(read);

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
