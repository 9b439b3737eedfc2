// An audit's records that no checkpoint vouches for, and its checkpoints that are in no second place. A checkpoint is made only
// after the records since the one before were read and found right: where it is new, the chain was verified lately.
import { auditEnvironment } from "../../audit/index.ts";
import { seconds, type Environment } from "../../kernel/index.ts";
import { limits } from "./limits.ts";
import { count, duration, fail, ok, type Result } from "./finding.ts";
import type { Tables } from "./tables.ts";

interface Head {
  readonly partition: number;
  readonly seq: number;
}

export async function auditOf(tables: Tables, environment: Environment): Promise<readonly Result[]> {
  if (!tables.names.has("audit_checkpoints")) return [];
  const { AUDIT_ANCHOR, AUDIT_CHECKPOINT_SECONDS } = auditEnvironment.of(environment);
  const [newest] = await tables.rows("select number, text, at_ms from audit_checkpoints order by number desc limit 1");
  const now = await tables.now();
  const heads = newest === undefined ? [] : headsIn(newest.text);
  const unsigned = await unsignedOf(tables, heads);
  // A record may be older than the audit's knowledge of it: it waits since the checkpoint that it came too late for.
  const waitsMs = now - Math.max(unsigned.since, Number(newest?.at_ms ?? 0));
  const results: Result[] = [];
  if (unsigned.records > 0 && waitsMs > Math.max(limits.unsignedMs, 3 * seconds(AUDIT_CHECKPOINT_SECONDS)))
    results.push(
      fail(
        "audit",
        `${count(unsigned.records, "record")} without a checkpoint for ${duration(waitsMs)}`,
        "does the service run? `trouble` in GET /ops/audit/status says why it does not sign; npx valence audit verify names a record that was changed",
      ),
    );
  if (AUDIT_ANCHOR !== undefined) results.push(...(await unanchoredOf(tables, now)));
  if (results.length > 0) return results;
  const signed =
    newest === undefined ? "no checkpoint yet" : `checkpoint ${newest.number} ${duration(now - newest.at_ms)} ago`;
  return [ok("audit", `${signed}, ${count(unsigned.records, "record")} since`)];
}

/** How many records came after these heads, and when the first of them happened. */
async function unsignedOf(tables: Tables, heads: readonly Head[]): Promise<{ records: number; since: number }> {
  const signed = new Map(heads.map(({ partition, seq }) => [partition, seq]));
  let [records, since] = [0, Infinity];
  for (const { partition, seq } of await tables.rows<Head>("select partition, seq from audit_heads")) {
    const through = signed.get(partition) ?? 0;
    if (seq <= through) continue;
    records += seq - through;
    const [first] = await tables.rows(
      "select at from audit_records where partition = $1 and seq > $2 order by seq limit 1",
      [partition, through],
    );
    since = Math.min(since, Date.parse(first?.at ?? "") || 0);
  }
  return { records, since };
}

async function unanchoredOf(tables: Tables, now: number): Promise<Result[]> {
  const [{ waiting, since }] = await tables.rows(
    "select count(*) as waiting, min(at_ms) as since from audit_checkpoints where anchored = 0",
  );
  if (waiting === 0 || now - since <= limits.unanchoredMs) return [];
  return [
    fail(
      "audit",
      `${count(waiting, "checkpoint")} not in AUDIT_ANCHOR, the first for ${duration(now - since)}`,
      "mend the disk, the server or the access key that AUDIT_ANCHOR names; `trouble` in GET /ops/audit/status says what it answers",
    ),
  ];
}

/** None in a text that somebody has changed: then all records count. */
function headsIn(text: string): readonly Head[] {
  try {
    const { heads } = JSON.parse(text) as { heads?: unknown };
    return Array.isArray(heads) ? (heads as Head[]) : [];
  } catch {
    return [];
  }
}
