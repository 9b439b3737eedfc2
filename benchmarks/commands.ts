// Durable commands per second on SQLite with full sync, through `broker.call` with validation, tracking and time-outs
// on and the relay running, on a file that holds a million events already. Measured in the same run for comparison: the
// disk's own speed (fdatasync) and a bare loop that inserts the same rows in batches of the same size.
//
//   node benchmarks/commands.ts [--events 1000000] [--seconds 30] [--runs 5]
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { newId } from "@valence/runtime/kernel";
import { ACTORS, add, countersBroker, measureCommands } from "./counters.ts";
import { fdatasyncP50, option, report, rounded, thousands } from "./harness.ts";

const events = option("events", 1_000_000);
const seconds = option("seconds", 30);
const runs = option("runs", 5);

const folder = await mkdtemp(join(tmpdir(), "valence-bench-"));
const rows: Record<string, unknown>[] = [];
try {
  await preload();
  for (const [label, METRICS] of [
    ["", "on"],
    [", METRICS=off", "off"],
  ] as const)
    for (const [actors, name] of [
      [ACTORS, "5 000 actors"],
      [1, "one hot actor"],
    ] as const)
      for (const callers of [64, 256]) {
        const id = (n: number) => `c${n % actors}`;
        const commands = { name: `${name}, ${callers} callers${label}`, id, callers, seconds, runs };
        rows.push((await measureCommands(countersBroker({ DATA_DIR: folder, METRICS }), commands)).row);
      }
  rows.push({ case: "fdatasync of 4 kB, p50", ms: rounded(await fdatasyncP50(folder), 3) });
  for (const batch of [64, 256])
    rows.push({ case: `bare insert loop, batches of ${batch}`, "per second": thousands(bareInserts(batch)) });
  await report("commands", rows);
} finally {
  await rm(folder, { recursive: true });
}

async function preload(): Promise<void> {
  const broker = countersBroker({ DATA_DIR: folder });
  await broker.start();
  let done = 0;
  await Promise.all(
    Array.from({ length: 1_000 }, async () => {
      while (done < events) await add(broker, `c${done++ % ACTORS}`);
    }),
  );
  await broker.stop();
  console.log(`preloaded ${thousands(events)} events`);
}

/**
 * The rows of a command without a runtime, in the same file after the runs above: event, command id, head of the
 * stream; one thread, prepared statements, full sync. No runtime on this file can be faster.
 */
function bareInserts(batch: number): number {
  const db = new DatabaseSync(join(folder, "counters.sqlite"));
  db.exec("pragma synchronous = full; pragma wal_autocheckpoint = 16000; pragma cache_size = -65536");
  const streams = db.prepare("select id, version from streams where name like 'counter.%'").all() as {
    id: number;
    version: number;
  }[];
  const event = db.prepare(
    `insert into events (stream, version, type, schema_version, data, metadata, recorded_at)
     values (?, ?, 'counter.added', 1, '{"by":1}', ?, ?)`,
  );
  const command = db.prepare("insert into commands values (?, ?, ?, 'add', '', null)");
  const head = db.prepare("update streams set version = ? where id = ?");
  const metadata = '{"command":"add","params":{"by":1},"now":"2026-01-01T00:00:00.000Z"}';
  const began = performance.now();
  let n = 0;
  while (performance.now() - began < seconds * 1_000) {
    db.exec("begin immediate");
    for (let i = 0; i < batch; i++, n++) {
      const stream = streams[n % streams.length]!;
      stream.version += 1;
      event.run(stream.id, stream.version, metadata, Date.now());
      command.run(`auto:${newId()}`, stream.id, stream.version);
      head.run(stream.version, stream.id);
    }
    db.exec("commit");
  }
  const perSecond = n / ((performance.now() - began) / 1_000);
  db.close();
  return perSecond;
}
