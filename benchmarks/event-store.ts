// Appends per second of the event store on SQLite alone, without broker and actor. For comparison, from the same run
// and the same disk: fdatasync, and a bare loop that inserts the same rows in batches of the same size.
//
//   node benchmarks/event-store.ts [--seconds 5] [--preload 0]
import { closeSync, fdatasyncSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { parseArgs } from "node:util";
import type { Append, EventStore } from "@valence/runtime/event-store";
import { openEventStore } from "../mixins/event-store/siblings.ts";

const { values } = parseArgs({
  options: { seconds: { type: "string", default: "5" }, preload: { type: "string", default: "0" } },
});
const [durationMs, preload] = [Number(values.seconds) * 1_000, Number(values.preload)];
const DATA = JSON.stringify({ points: 10, reason: "purchase", reference: "0190b0c2-7c9e-7d3a-a1f2-3c4d5e6f7a8b" });
const METADATA = JSON.stringify({ trace: "0af7651916cd43dd8448eb211c80319c", user: "0190b0c2-7c9e-7d3a" });

mkdirSync("data", { recursive: true });
// Not the system's temporary folder: where that is in memory, a sync costs nothing.
const folder = mkdtempSync(join("data", "benchmark-"));
const format = (n: number) => Math.round(n).toLocaleString("en").padStart(9);
const percentile = (sorted: readonly number[], p: number) => sorted[Math.floor((sorted.length - 1) * p)]!;

let commands = 0;
const appendOf = (stream: string, expectedVersion: number): Append => ({
  stream,
  expectedVersion,
  commandId: `auto:0190b0c2-7c9e-7d3a-${String(++commands).padStart(12, "0")}`,
  kind: "earn",
  fingerprint: "",
  events: [{ type: "points.earned", schemaVersion: 1, data: DATA }],
  metadata: METADATA,
  answer: null,
});

/** Callers in a closed loop, each with one append outstanding, round robin over the streams. */
async function appendsFor(ms: number, store: EventStore, callers: number, versions: number[], name: string) {
  const waits: number[] = [];
  let next = 0;
  const until = performance.now() + ms;
  const caller = async () => {
    while (performance.now() < until) {
      const i = next++ % versions.length;
      const sentAt = performance.now();
      const verdict = await new Promise<{ kind: string }>(resolve =>
        store.append(appendOf(`${name}.${i}`, versions[i]!++), resolve),
      );
      if (verdict.kind !== "ok") throw new Error(`verdict ${verdict.kind}`);
      waits.push(performance.now() - sentAt);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return waits.sort((a, b) => a - b);
}

async function measureStore(callers: number, streams: number): Promise<number> {
  const store = await openEventStore({ kind: "sqlite", filename: join(folder, `${callers}-${streams}.sqlite`) });
  for (let left = preload, versions = Array.from({ length: 5_000 }, () => 0); left > 0; left -= 5_000)
    await Promise.all(
      versions.map((_, i) => new Promise(resolve => store.append(appendOf(`before.${i}`, versions[i]!++), resolve))),
    );
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const waits = await appendsFor(
    durationMs,
    store,
    callers,
    Array.from({ length: streams }, () => 0),
    "account",
  );
  delay.disable();
  await store.close();
  const rate = waits.length / (durationMs / 1_000);
  console.log(
    `${String(callers).padStart(4)} callers ${String(streams).padStart(5)} streams ${format(rate)}/s`,
    `  wait p50 ${percentile(waits, 0.5).toFixed(2)} p99 ${percentile(waits, 0.99).toFixed(2)} ms`,
    `  loop delay p99 ${(delay.percentile(99) / 1e6).toFixed(1)} ms`,
  );
  return rate;
}

/** The rows of events and commands alone: no streams, verdicts or answers, and no second thread. */
function measureBareInserts(batch: number, streams: number): number {
  const database = new DatabaseSync(join(folder, `bare-${batch}-${streams}.sqlite`));
  database.exec(`
    pragma page_size = 4096; pragma journal_mode = wal; pragma synchronous = full; pragma wal_autocheckpoint = 16000;
    create table events (position integer primary key autoincrement, stream integer, version integer, type text,
      schema_version integer, data text, metadata text, recorded_at integer, unique (stream, version));
    create table commands (command_id text, stream integer, version integer, kind text, fingerprint text, answer text,
      primary key (command_id, stream)) without rowid`);
  const insert = database.prepare(
    "insert into events (stream, version, type, schema_version, data, metadata, recorded_at) values (?, ?, ?, ?, ?, ?, ?)",
  );
  const insertCommand = database.prepare("insert into commands values (?, ?, ?, ?, ?, ?)");
  const until = performance.now() + durationMs;
  let rows = 0;
  while (performance.now() < until) {
    database.exec("begin immediate");
    for (let i = 0; i < batch; i++, rows++) {
      const [stream, version] = [rows % streams, Math.floor(rows / streams) + 1];
      const { commandId, kind, fingerprint, answer } = appendOf("", 0);
      insert.run(stream, version, "points.earned", 1, DATA, METADATA, Date.now());
      insertCommand.run(commandId!, stream, version, kind, fingerprint, answer);
    }
    database.exec("commit");
  }
  database.close();
  return rows / (durationMs / 1_000);
}

function measureSync(): number {
  const file = openSync(join(folder, "sync"), "w");
  const page = Buffer.alloc(64 * 1024, 1);
  const waits = Array.from({ length: 500 }, () => {
    writeSync(file, page);
    const startedAt = performance.now();
    fdatasyncSync(file);
    return performance.now() - startedAt;
  });
  closeSync(file);
  return percentile(
    waits.sort((a, b) => a - b),
    0.5,
  );
}

try {
  console.log(
    `fdatasync of 64 KiB: p50 ${measureSync().toFixed(3)} ms; ${format(preload).trim()} events in the file before`,
  );
  for (const [callers, streams] of [
    [64, 5_000],
    [256, 5_000],
    [64, 1],
    [256, 1],
  ] as const) {
    const rate = await measureStore(callers, streams);
    const bare = measureBareInserts(callers, streams);
    console.log(
      `     bare inserts in batches of ${String(callers).padEnd(4)} ${format(bare)}/s   ratio ${(rate / bare).toFixed(2)}`,
    );
  }
} finally {
  rmSync(folder, { recursive: true });
}
