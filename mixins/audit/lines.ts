// An audit as lines: from its database, and as NDJSON. An export holds these lines and nothing else, so that it is verified
// like the database itself.
import type { Knex } from "knex";
import { publicKeysIn } from "./keys.ts";
import { limits } from "./limits.ts";
import type { StoredRecord } from "./partition-walk.ts";
import { objectIn } from "./record.ts";
import { isHead, readCheckpoint, type Head, type SignedCheckpoint } from "./signing.ts";
import type { Line } from "./verify.ts";

/**
 * Where the reading of an audit goes on: with a checkpoint, or with the record of a partition after `seq`. `first` is the
 * checkpoint up to which records are left out.
 */
export type LinesPlace =
  | { readonly first: number; readonly checkpoint: number }
  | { readonly first: number; readonly partition: number; readonly seq: number };

export interface LinesPage {
  readonly lines: readonly Line[];
  /** Undefined after the last page. */
  readonly next: LinesPlace | undefined;
}

/**
 * The lines of the database, read page by page while others write: keys, checkpoints, heads, then records, those that are
 * written meanwhile included. `since`: only what comes after this checkpoint.
 */
export async function* linesIn(knex: Knex, since?: number): AsyncGenerator<Line> {
  for (let place: LinesPlace | undefined = await firstPlace(knex, since); place;) {
    const { lines, next }: LinesPage = await pageOfLines(knex, place);
    yield* lines;
    place = next;
  }
}

/** Where a reading begins: of all that there is, or of what comes after the checkpoint `since`. */
export async function firstPlace(knex: Knex, since?: number): Promise<LinesPlace> {
  const first = since ?? (await removedUpToIn(knex));
  return { first, checkpoint: first };
}

/** The lines from a place on, at most `limits.page` checkpoints or records; the first page has the keys as well. */
export async function pageOfLines(knex: Knex, place: LinesPlace): Promise<LinesPage> {
  return "checkpoint" in place ? checkpointsPage(knex, place) : recordsPage(knex, place);
}

async function checkpointsPage(knex: Knex, { first, checkpoint: from }: { first: number; checkpoint: number }) {
  const lines: Line[] = from === first ? (await publicKeysIn(knex)).map(key => ({ key })) : [];
  const rows = await knex("audit_checkpoints").where("number", ">=", from).orderBy("number").limit(limits.page);
  for (const { text, signature } of rows) lines.push({ checkpoint: { text, signature } });
  if (rows.length === limits.page) return { lines, next: { first, checkpoint: Number(rows.at(-1).number) + 1 } };
  lines.push({ heads: await headsIn(knex), anchored: await anchoredUpTo(knex) });
  return { lines, next: await partitionAfter(knex, first, -1) };
}

async function recordsPage(
  knex: Knex,
  { first, partition, seq }: { first: number; partition: number; seq: number },
): Promise<LinesPage> {
  const records = await recordsOf(knex, { partition, after: seq });
  const next =
    records.length === limits.page
      ? { first, partition, seq: records.at(-1)!.seq }
      : await partitionAfter(knex, first, partition);
  return { lines: records.map(record => ({ record })), next };
}

/**
 * The start of the next partition that has records, also without a head: after those that checkpoint `first` vouches for.
 * One look at the index for each partition: `distinct` would read all of it.
 */
async function partitionAfter(knex: Knex, first: number, before: number): Promise<LinesPlace | undefined> {
  const row = await knex("audit_records").where("partition", ">", before).orderBy("partition").first("partition");
  if (!row) return undefined;
  const { partition } = row;
  const base = first === 0 ? undefined : await checkpointOf(knex, first);
  const heads = (base && readCheckpoint(base))?.heads ?? [];
  return { first, partition, seq: heads.find(head => head.partition === partition)?.seq ?? 0 };
}

/** Records that `linesIn` will give, as far as the heads tell now. */
export async function countIn(knex: Knex): Promise<number> {
  const first = await removedUpToIn(knex);
  const checkpoint = first === 0 ? undefined : await checkpointOf(knex, first);
  const sum = (heads: readonly Head[]): number => heads.reduce((total, { seq }) => total + seq, 0);
  return sum(await headsIn(knex)) - sum((checkpoint && readCheckpoint(checkpoint))?.heads ?? []);
}

export async function headsIn(knex: Knex): Promise<Head[]> {
  const rows = await knex("audit_heads").orderBy("partition");
  return rows.map(({ partition, seq, hash }) => ({ partition, seq: Number(seq), hash }));
}

/** Number of the newest checkpoint that the anchor has; 0 when it has none. */
async function anchoredUpTo(knex: Knex): Promise<number> {
  const [row] = await knex("audit_checkpoints").where({ anchored: 1 }).max({ number: "number" });
  return Number(row?.["number"] ?? 0);
}

export async function newestCheckpoint(knex: Knex): Promise<SignedCheckpoint | undefined> {
  const row = await knex("audit_checkpoints").orderBy("number", "desc").first();
  return row && { text: row.text, signature: row.signature };
}
export async function checkpointOf(knex: Knex, number: number): Promise<SignedCheckpoint | undefined> {
  const row = await knex("audit_checkpoints").where({ number }).first();
  return row && { text: row.text, signature: row.signature };
}
/** Number of the checkpoint up to which retention has removed records; 0 when nothing was, or nothing tells. */
export async function removedUpToIn(knex: Knex): Promise<number> {
  const newest = await newestCheckpoint(knex);
  return (newest && readCheckpoint(newest))?.removedUpTo ?? 0;
}

/** Records of a partition after `after` and up to `through`, in their order, page by page. */
export async function* recordsAfter(
  knex: Knex,
  partition: number,
  after: number,
  through: number,
): AsyncGenerator<StoredRecord> {
  for (let from = after; ;) {
    const records = await recordsOf(knex, { partition, after: from, through });
    yield* records;
    if (records.length < limits.page) return;
    from = records.at(-1)!.seq;
  }
}

interface Range {
  readonly partition: number;
  readonly after: number;
  readonly through?: number;
}

async function recordsOf(
  knex: Knex,
  { partition, after, through = Number.MAX_SAFE_INTEGER }: Range,
): Promise<StoredRecord[]> {
  const rows = await knex("audit_records")
    .where({ partition })
    .where("seq", ">", after)
    .where("seq", "<=", through)
    .orderBy("seq")
    .limit(limits.page);
  return rows.map(({ seq, hash, record, signature, subject, version, at, actor, person }) => ({
    partition,
    seq: Number(seq),
    hash,
    text: record,
    ...(signature !== null && { signature }),
    columns: { subject, version, at, actor, person },
  }));
}

// ---- NDJSON

/** A line as JSON. A record is written whole, so that other programs can read it. */
export function toJson(line: Line): string {
  if (!("record" in line)) return JSON.stringify(line);
  const { text, hash, signature } = line.record;
  return `{"record":${text},"hash":"${hash}"${signature === undefined ? "" : `,"signature":"${signature}"`}}`;
}

/** Throws TypeError, naming the line, for text that is no line of an export. */
export function fromJson(text: string, number: number): Line {
  const line = objectIn(text);
  const { key, checkpoint, heads, anchored } = line ?? {};
  if (typeof key === "string") return { key };
  if (isSigned(checkpoint)) return { checkpoint };
  if (Array.isArray(heads) && heads.every(isHead) && (anchored === undefined || Number.isSafeInteger(anchored)))
    return { heads, ...(anchored !== undefined && { anchored: anchored as number }) };
  // Its text is taken as it stands: what else could be read out of it was not hashed.
  const [, record, hash, , signature] =
    /^\{"record":(\{.*\}),"hash":"([\w-]+)"(,"signature":"([\w.-]+)")?\}$/.exec(text) ?? [];
  const { partition, seq } = (line?.["record"] ?? {}) as Record<string, unknown>;
  const head = { partition, seq, hash };
  if (record === undefined || !isHead(head)) throw new TypeError(`line ${number} is no line of an audit`);
  return { record: { ...head, text: record, ...(signature !== undefined && { signature }) } };
}

function isSigned(value: unknown): value is SignedCheckpoint {
  const { text, signature } = (value ?? {}) as Partial<Record<keyof SignedCheckpoint, unknown>>;
  return typeof text === "string" && typeof signature === "string";
}
