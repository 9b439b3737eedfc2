// An audit as lines: from its database, and as NDJSON. An export holds these lines and nothing else, so that it is verified
// like the database itself.
import type { Knex } from "knex";
import { canonicalJson } from "../kernel/index.ts";
import { publicKeysIn } from "./keys.ts";
import { limits } from "./limits.ts";
import type { StoredRecord } from "./partition-walk.ts";
import { checkpointIn, type Head, type SignedCheckpoint } from "./signing.ts";
import type { Line } from "./verify.ts";

/**
 * The lines of the database, read page by page while others write: keys, checkpoints, heads, then records, those that are
 * written meanwhile included. `since`: only what comes after this checkpoint.
 */
export async function* linesIn(knex: Knex, since?: number): AsyncGenerator<Line> {
  for (const key of await publicKeysIn(knex)) yield { key };
  const first = since ?? (await removedUpToIn(knex));
  let base: readonly Head[] = [];
  for await (const checkpoint of checkpointsFrom(knex, first)) {
    const { number, heads } = checkpointIn(checkpoint);
    if (number === first) base = heads;
    yield { checkpoint };
  }
  const heads = await headsIn(knex);
  yield { heads };
  for (const partition of await partitionsIn(knex)) {
    const after = base.find(head => head.partition === partition)?.seq ?? 0;
    for await (const record of recordsAfter(knex, partition, after)) yield { record };
  }
}

/** Records that `linesIn` will give, as far as the heads tell now. */
export async function countIn(knex: Knex): Promise<number> {
  const first = await removedUpToIn(knex);
  const checkpoint = first === 0 ? undefined : await checkpointOf(knex, first);
  const sum = (heads: readonly Head[]): number => heads.reduce((total, { seq }) => total + seq, 0);
  return sum(await headsIn(knex)) - sum(checkpoint ? checkpointIn(checkpoint).heads : []);
}

export async function headsIn(knex: Knex): Promise<Head[]> {
  const rows = await knex("audit_heads").orderBy("partition");
  return rows.map(({ partition, seq, hash }) => ({ partition, seq: Number(seq), hash }));
}

/** Partitions that have records, also without a head. One look at the index for each: `distinct` would read all of it. */
async function partitionsIn(knex: Knex): Promise<number[]> {
  const found: number[] = [];
  for (;;) {
    const row = await knex("audit_records")
      .where("partition", ">", found.at(-1) ?? -1)
      .orderBy("partition")
      .first("partition");
    if (!row) return found;
    found.push(row.partition);
  }
}

export async function newestCheckpoint(knex: Knex): Promise<SignedCheckpoint | undefined> {
  const row = await knex("audit_checkpoints").orderBy("number", "desc").first();
  return row && { text: row.text, signature: row.signature };
}
export async function checkpointOf(knex: Knex, number: number): Promise<SignedCheckpoint | undefined> {
  const row = await knex("audit_checkpoints").where({ number }).first();
  return row && { text: row.text, signature: row.signature };
}
/** Number of the checkpoint up to which retention has removed records; 0 when nothing was. */
export async function removedUpToIn(knex: Knex): Promise<number> {
  const newest = await newestCheckpoint(knex);
  return newest ? checkpointIn(newest).removedUpTo : 0;
}

async function* checkpointsFrom(knex: Knex, first: number): AsyncGenerator<SignedCheckpoint> {
  for (let from = first; ;) {
    const rows = await knex("audit_checkpoints").where("number", ">=", from).orderBy("number").limit(limits.page);
    for (const { text, signature } of rows) yield { text, signature };
    if (rows.length < limits.page) return;
    from = Number(rows.at(-1).number) + 1;
  }
}

export async function* recordsAfter(
  knex: Knex,
  partition: number,
  after: number,
  through = Number.MAX_SAFE_INTEGER,
): AsyncGenerator<StoredRecord> {
  for (let from = after; ;) {
    const rows = await knex("audit_records")
      .where({ partition })
      .where("seq", ">", from)
      .where("seq", "<=", through)
      .orderBy("seq")
      .limit(limits.page);
    for (const { seq, hash, record, signature, subject, version, at, actor, person } of rows)
      yield {
        partition,
        seq: Number(seq),
        hash,
        text: record,
        ...(signature !== null && { signature }),
        columns: { subject, version, at, actor, person },
      };
    if (rows.length < limits.page) return;
    from = Number(rows.at(-1).seq);
  }
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
  try {
    const line = JSON.parse(text);
    if ("key" in line || "checkpoint" in line || "heads" in line) return line;
    const { record, hash, signature } = line;
    const { partition, seq } = record;
    return { record: { partition, seq, hash, text: canonicalJson(record), signature } };
  } catch (error) {
    throw new TypeError(`line ${number} is no line of an audit: ${(error as Error).message}`, { cause: error });
  }
}
