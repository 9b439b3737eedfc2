// Durable commands per second on SQLite with full sync, through `broker.call` with validation, tracking and time-outs
// on and the relay running, on a file that holds a million events already. Beside it, in the same run: what the disk
// gives (fdatasync) and a bare loop that inserts the same rows in batches of the same size.
//
//   node benchmarks/commands.ts [--events 1000000] [--seconds 30] [--runs 5]
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ServiceBroker, type BrokerOptions } from "moleculer";
import Type from "typebox";
import { brokerOptions } from "../broker/index.ts";
import { defineContract, defineService } from "../mixins/contract/index.ts";
import { defineActor } from "../mixins/actor/index.ts";
import { Actors } from "../mixins/actor/mixin.ts";
import { newId, readEnvironment } from "../mixins/kernel/index.ts";
import { closedLoop, median, option, quantile, report, thousands } from "./harness.ts";

const ACTORS = 5_000;
const events = option("events", 1_000_000);
const seconds = option("seconds", 30);
const runs = option("runs", 5);

const contract = defineContract({
  service: "counters",
  actor: "counter",
  state: { count: Type.Integer() },
  commands: { add: { by: Type.Integer({ minimum: 1, maximum: 100 }) } },
  events: { "counter.added": { by: Type.Integer() } },
});
const Counter = defineActor(contract)({
  initial: () => ({ count: 0 }),
  decide: { add: (_state, { by }) => [contract.event("counter.added", { by })] },
  evolve: { "counter.added": (state, { by }) => ({ count: state.count + by }) },
});

const folder = await mkdtemp(join(tmpdir(), "valence-bench-"));
const rows: Record<string, unknown>[] = [];
try {
  await preload();
  for (const [label, options] of [
    ["", {}],
    [" + metrics, 10 % tracing", { metrics: true, tracing: { enabled: true, sampling: { rate: 0.1 } } }],
  ] as const)
    for (const [actors, name] of [
      [ACTORS, "5 000 actors"],
      [1, "one hot actor"],
    ] as const)
      for (const callers of [64, 256])
        rows.push(await measure(`${name}, ${callers} callers${label}`, actors, callers, options));
  rows.push({ case: "fdatasync of 4 kB, p50", ms: Number((await fdatasyncP50()).toFixed(3)) });
  for (const batch of [64, 256])
    rows.push({ case: `bare insert loop, batches of ${batch}`, "per second": thousands(bareInserts(batch)) });
  await report("commands", rows);
} finally {
  await rm(folder, { recursive: true });
}

function broker(options: Partial<BrokerOptions> = {}): ServiceBroker {
  const environment = readEnvironment({ DATA_DIR: folder });
  const made = new ServiceBroker({ ...brokerOptions(environment), logger: false, ...options });
  made.createService(defineService(contract, { mixins: [Actors(Counter)] }));
  return made;
}

async function preload(): Promise<void> {
  const made = broker();
  await made.start();
  let done = 0;
  await Promise.all(
    Array.from({ length: 1_000 }, async () => {
      while (done < events) await made.call("counters.add", { id: `c${done++ % ACTORS}`, by: 1 });
    }),
  );
  await made.stop();
  console.log(`preloaded ${thousands(events)} events`);
}

async function measure(
  name: string,
  actors: number,
  callers: number,
  options: object,
): Promise<Record<string, unknown>> {
  const made = broker(options);
  await made.start();
  const call = (n: number) => made.call("counters.add", { id: `c${n % actors}`, by: 1 });
  await closedLoop(callers, Math.min(3, seconds), call);
  const loads = [];
  for (let run = 0; run < runs; run++) loads.push(await closedLoop(callers, seconds, call));
  await made.stop();
  const row = {
    case: name,
    "per second": thousands(median(loads.map(load => load.perSecond))),
    "p50 ms": Number(median(loads.map(load => load.latencyMs.p50)).toFixed(2)),
    "p99 ms": Number(median(loads.map(load => load.latencyMs.p99)).toFixed(2)),
    "loop delay p99 ms": Number(median(loads.map(load => load.loopDelayP99Ms)).toFixed(1)),
    CPUs: Number(median(loads.map(load => load.cpus)).toFixed(2)),
  };
  console.log(row);
  return row;
}

async function fdatasyncP50(): Promise<number> {
  const file = await open(join(folder, "fdatasync"), "w");
  const times: number[] = [];
  for (let i = 0; i < 500; i++) {
    await file.write(Buffer.alloc(4_096), 0, 4_096, i * 4_096);
    const began = performance.now();
    await file.datasync();
    times.push(performance.now() - began);
  }
  await file.close();
  return quantile(times, 0.5);
}

/**
 * The rows of a command and nothing else, in the same file after the runs above: event, command id, head of the stream;
 * one thread, prepared, full sync. The floor under which no runtime on this file can get.
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
