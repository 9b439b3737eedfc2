// An export, page by page: each page fits into a packet of the bus, and the place where the next begins travels with the reader.
import type { Knex } from "knex";
import { badCursor, cursorOf, readCursor, type ResultOf } from "../contract/index.ts";
import { auditErrors } from "./errors.ts";
import { countIn, firstPlace, pageOfLines, removedUpToIn, toJson, type LinesPlace } from "./lines.ts";
import type { Line } from "./verify.ts";

/**
 * The lines of the whole audit, as `linesIn` gives them. Throws `AUDIT_EXPORT_OVERTAKEN` when retention removes meanwhile what is
 * still to be read: the export would not verify.
 */
export async function* exportedLines(knex: Knex): AsyncGenerator<Line> {
  for (let place: LinesPlace | undefined = await firstPlace(knex); place;) {
    const { lines, next } = await pageFrom(knex, place);
    yield* lines;
    place = next;
  }
}

/**
 * A page of the export as text, of at most `bytesMax` bytes, or of one line that has more. Throws like `exportedLines`, and
 * refuses (422) a cursor of another list.
 */
export async function exportPage(
  knex: Knex,
  { cursor, bytesMax }: { cursor: string | undefined; bytesMax: number },
): Promise<ResultOf<"audit.export">> {
  const { place, skipped } = cursor === undefined ? { place: await firstPlace(knex), skipped: 0 } : placeIn(cursor);
  const page = await pageFrom(knex, place);
  const rest = page.lines.slice(skipped);
  const lines: string[] = [];
  let bytes = 0;
  for (const text of rest.map(toJson)) {
    bytes += Buffer.byteLength(text);
    if (bytes > bytesMax && lines.length > 0) break;
    lines.push(text);
  }
  const records = rest.slice(0, lines.length).filter(line => "record" in line).length;
  const nextCursor =
    lines.length < rest.length ? cursorTo(place, skipped + lines.length) : page.next && cursorTo(page.next, 0);
  return { lines, records, of: await countIn(knex), ...(nextCursor !== undefined && { nextCursor }) };
}

async function pageFrom(knex: Knex, place: LinesPlace) {
  const page = await pageOfLines(knex, place);
  // Read afterwards: retention signs what it is about to remove before it removes it.
  if ((await removedUpToIn(knex)) !== place.first) throw auditErrors.AUDIT_EXPORT_OVERTAKEN();
  return page;
}

// ---- the cursor: a place, and the lines from there on that were read

const ORDER = "audit export";

const cursorTo = (place: LinesPlace, skipped: number): string =>
  cursorOf(ORDER, [
    place.first,
    ...("checkpoint" in place ? [place.checkpoint, -1, -1] : [-1, place.partition, place.seq]),
    skipped,
  ]);

function placeIn(cursor: string): { place: LinesPlace; skipped: number } {
  const values = readCursor(cursor, ORDER, 5);
  if (!values.every(value => Number.isSafeInteger(value))) throw badCursor();
  const [first, checkpoint, partition, seq, skipped] = values as [number, number, number, number, number];
  if (checkpoint >= 0) return { place: { first, checkpoint }, skipped };
  return { place: { first, partition, seq }, skipped };
}
