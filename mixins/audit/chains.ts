// Adds records to the chains, in the transaction of the consumer's checkpoint: an event is recorded exactly once, or not at all.
// The row of a partition's head is locked first; of two writers the second waits and goes on from the first one's head.
import type { Knex } from "knex";
import { BOOKKEEPING } from "../database/siblings.ts";
import { inChunks } from "../kernel/index.ts";
import { actorOf, GENESIS, partitionOf, seal, type Entry } from "./record.ts";
import type { Head, SigningKey } from "./signing.ts";

export class Chains {
  readonly #partitions: number;
  readonly #key: SigningKey;
  constructor(key: SigningKey, partitions: number) {
    this.#key = key;
    this.#partitions = partitions;
  }

  /** Adds what is not recorded yet; answers how many that were. */
  async append(trx: Knex.Transaction, entries: readonly Entry[]): Promise<number> {
    const known = await recordedOf(trx, entries);
    const fresh = entries.filter(entry => !known.has(identityOf(entry)));
    if (fresh.length === 0) return 0;
    const parts = Map.groupBy(fresh, ({ subject }) => partitionOf(subject, this.#partitions));
    // In one order, so that two writers do not wait for each other.
    const heads = await lockHeads(
      trx,
      [...parts.keys()].sort((a, b) => a - b),
    );
    const rows: Row[] = [];
    for (const head of heads) rows.push(...this.#link(head, parts.get(head.partition)!));
    for (const some of inChunks(rows)) await trx("audit_records").insert(some);
    for (const { partition, seq, hash } of lastOf(rows))
      await trx("audit_heads").where({ partition }).update({ seq, hash }).queryContext(BOOKKEEPING);
    return fresh.length;
  }

  #link(head: Head, entries: readonly Entry[]): Row[] {
    const { partition } = head;
    let { seq, hash } = head;
    const rows = entries.map((entry): Row => {
      const sealed = seal({ ...entry, partition, seq: ++seq, previous: hash });
      ({ hash } = sealed);
      const { subject, version, at, person = null } = entry;
      const actor = actorOf(subject);
      return { partition, seq, hash, signature: null, record: sealed.text, subject, version, at, actor, person };
    });
    rows.at(-1)!.signature = this.#key.signHead({ partition, seq, hash });
    return rows;
  }
}

interface Row extends Head {
  signature: string | null;
  readonly record: string;
  readonly subject: string;
  readonly version: number;
  readonly at: string;
  readonly actor: string;
  readonly person: string | null;
}

const identityOf = ({ subject, version, at }: Pick<Entry, "subject" | "version" | "at">): string =>
  `${subject}@${version}/${at}`;

/** The identities of those that are recorded: a consumer that was sent to the start of its log brings all again. */
async function recordedOf(trx: Knex.Transaction, entries: readonly Entry[]): Promise<Set<string>> {
  const found = new Set<string>();
  for (const some of inChunks([...new Set(entries.map(({ subject }) => subject))])) {
    const versions = entries.map(({ version }) => version);
    const rows = await trx("audit_records")
      .whereIn("subject", some)
      .whereBetween("version", [Math.min(...versions), Math.max(...versions)])
      .select("subject", "version", "at");
    for (const row of rows) found.add(identityOf(row));
  }
  return found;
}

async function lockHeads(trx: Knex.Transaction, partitions: readonly number[]): Promise<Head[]> {
  const read = async (): Promise<Head[]> => {
    const query = trx("audit_heads").whereIn("partition", partitions).orderBy("partition").forUpdate();
    const rows = await query.queryContext(BOOKKEEPING);
    return rows.map(({ partition, seq, hash }) => ({ partition, seq: Number(seq), hash }));
  };
  const heads = await read();
  if (heads.length === partitions.length) return heads;
  const first = partitions.map(partition => ({ partition, seq: 0, hash: GENESIS }));
  await trx("audit_heads").insert(first).onConflict("partition").ignore();
  return read();
}

const lastOf = (rows: readonly Row[]): Row[] =>
  [...Map.groupBy(rows, ({ partition }) => partition).values()].map(own => own.at(-1)!);
