// Events of all services as they come. A cursor holds a place in each service's log; a poll reads from there, so that nothing is
// missed between two polls, and a service that did not answer goes on where it was.
import { badCursor, cursorOf, readCursor } from "../../contract/index.ts";
import { ask, askEach, compare, limits, meant, servicesWith, shown, text, type Answer } from "../asking.ts";
import type { Ctx } from "./context.ts";

/** A page of a service's log: see LogPage. */
interface LogPage {
  readonly events: readonly Answer[];
  readonly cursor: string;
  readonly head?: string;
  readonly fault?: { readonly head: string };
}

/** Pages of a service's log in which a type is looked for, in one poll. */
const PAGES = 10;

export async function tail(ctx: Ctx<"tail">) {
  const { type = "*", service: only, limit = limits.page, cursor } = ctx.params;
  const isMeant = matching(type);
  const services = meant(
    servicesWith(ctx.broker, ({ events }) => Object.keys(events ?? {}).some(isMeant)),
    only,
    "such events",
  );
  const list = `tail ${only ?? "*"} ${type}`;
  const places = cursor === undefined ? new Map<string, string>() : placesIn(cursor, list);
  const share = Math.max(1, Math.floor(limit / Math.max(1, services.length)));
  const { answers, silent } = await askEach(services, async (service, options) => {
    const read = (place: string, limit: number): Promise<LogPage> =>
      ask(ctx, service, "readLog", { cursor: place, limit }, options);
    return follow(read, places.get(service), share, event => isMeant(text(event["type"])));
  });
  const events = answers.flatMap(({ service, answer }) =>
    answer.events.map((event): Answer => ({ service, ...event })),
  );
  for (const { service, answer } of answers) places.set(service, answer.cursor);
  return {
    ...shown(ctx, { events: events.sort((a, b) => compare(text(a["at"]), text(b["at"]))) }),
    silent,
    cursor: cursorOf(list, [JSON.stringify([...places])]),
  };
}

/**
 * Whether a text fits a pattern, in which each `*` stands for any characters. In time proportional to the text; a regular
 * expression of many stars would hold up the loop.
 */
export function matching(pattern: string): (text: string) => boolean {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return text => text === first;
  return text => {
    if (!text.startsWith(first) || !text.endsWith(last)) return false;
    let at = first.length;
    for (const part of rest) {
      const found = text.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return at + last.length <= text.length;
  };
}

/** The events that are meant after a place, and the place after them; without one, and for one of another log, the log's end. */
async function follow(
  read: (place: string, limit: number) => Promise<LogPage>,
  from: string | undefined,
  limit: number,
  isMeant: (event: Answer) => boolean,
): Promise<{ events: Answer[]; cursor: string }> {
  if (from === undefined) return { events: [], cursor: (await read("", 0)).head ?? "" };
  let place = from;
  for (let pages = 0; pages < PAGES; pages++) {
    const page = await read(place, limit);
    if (page.fault) return { events: [], cursor: page.fault.head };
    const isEnd = page.cursor === place;
    place = page.cursor;
    const events = page.events.filter(isMeant);
    if (events.length > 0 || isEnd) return { events, cursor: place };
  }
  return { events: [], cursor: place };
}

function placesIn(cursor: string, list: string): Map<string, string> {
  const [pairs] = readCursor(cursor, list, 1);
  try {
    const places: unknown = JSON.parse(String(pairs));
    if (Array.isArray(places) && places.every(isPlace)) return new Map(places);
  } catch {
    // No list of places: refused below.
  }
  throw badCursor();
}

const isPlace = (value: unknown): value is [string, string] =>
  Array.isArray(value) && value.length === 2 && value.every(part => typeof part === "string" && part.length < 1_000);
