// Ways in which somebody with write access to the audit's database may tamper with it.
import type { Knex } from "knex";
import { seal } from "./record.ts";
import { checkpointHash, checkpointIn, type SignedCheckpoint, type SigningKey } from "./signing.ts";

const TABLES = ["audit_records", "audit_heads", "audit_checkpoints"];

/** Rows of all tables, and a function that puts them back. */
export async function snapshotOf(knex: Knex): Promise<() => Promise<void>> {
  const kept: [string, any[]][] = [];
  for (const table of TABLES) kept.push([table, await knex(table)]);
  return async () => {
    for (const [table, rows] of kept) {
      await knex(table).delete();
      await knex(table).insert(rows);
    }
  };
}

/**
 * Changes a record and computes all that follow in its partition anew. With a key it also signs anew: the records, and every
 * checkpoint from the first one that named another hash.
 */
export async function rewrite(knex: Knex, partition: number, from: number, key?: SigningKey): Promise<void> {
  const own = () => knex("audit_records").where({ partition });
  const rows = await own().where("seq", ">=", from).orderBy("seq");
  let previous: string =
    from === 1
      ? ""
      : (
          await own()
            .where({ seq: from - 1 })
            .first()
        ).hash;
  for (const [i, { seq, record, signature }] of rows.entries()) {
    const { text, hash } = seal({ ...JSON.parse(record), previous, ...(i === 0 && { data: { forged: true } }) });
    const head = { partition, seq: Number(seq), hash };
    const signed = key && signature !== null ? key.signHead(head) : signature;
    await own().where({ seq }).update({ record: text, hash, signature: signed });
    previous = hash;
  }
  await knex("audit_heads").where({ partition }).update({ hash: previous });
  if (key) await signAnew(knex, key);
}

async function signAnew(knex: Knex, key: SigningKey): Promise<void> {
  let before: SignedCheckpoint | undefined;
  for (const { number, text } of await knex("audit_checkpoints").orderBy("number")) {
    const { heads, key: _by, ...rest } = checkpointIn({ text, signature: "" });
    const now = await Promise.all(
      heads.map(async head => {
        const { hash } = await knex("audit_records").where({ partition: head.partition, seq: head.seq }).first();
        return { ...head, hash };
      }),
    );
    before = key.signCheckpoint({ ...rest, heads: now, previous: before ? checkpointHash(before) : rest.previous });
    await knex("audit_checkpoints").where({ number }).update(before);
  }
}
