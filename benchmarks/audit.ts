// The audit on SQLite: events recorded a second, chained and signed, and records verified a second.
//
//   node benchmarks/audit.ts [--events 50000] [--runs 3]
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ServiceBroker } from "moleculer";
import Type from "typebox";
import { defineActor } from "@valence/runtime/actor";
import { Actors } from "@valence/runtime/actor/mixin";
import { Audit } from "@valence/runtime/audit/mixin";
import { brokerOptions } from "@valence/runtime/broker";
import { defineContract, defineService } from "@valence/runtime/contract";
import { readEnvironment } from "@valence/runtime/kernel";
import { until } from "@valence/runtime/testing";
import { median, option, report, thousands } from "./harness.ts";

const events = option("events", 50_000);
const runs = option("runs", 3);
/** Commands at once while the log is filled. */
const CALLERS = 256;
const SUBJECTS = 5_000;

const booked = { room: Type.String(), nights: Type.Integer() };
const contract = defineContract({
  service: "stays",
  actor: "stay",
  state: { stays: Type.Integer() },
  commands: { book: booked },
  events: { "stay.booked": booked },
});
const Stay = defineActor(contract)({
  initial: () => ({ stays: 0 }),
  decide: { book: (_state, params) => [contract.event("stay.booked", params)] },
  evolve: { "stay.booked": ({ stays }) => ({ stays: stays + 1 }) },
});

async function run(): Promise<{ recorded: number; verified: number }> {
  const folder = await mkdtemp(join(tmpdir(), "valence-audit-"));
  const environment = readEnvironment({ DATA_DIR: folder, NODEID: "bench" });
  const broker = new ServiceBroker({ ...brokerOptions(environment), logger: false });
  try {
    broker.createService(defineService(contract, { mixins: [Actors(Stay)] }));
    await broker.start();
    let next = 0;
    const call = async (): Promise<void> => {
      for (let n = next++; n < events; n = next++)
        await broker.call("stays.book", { id: `s${n % SUBJECTS}`, room: `room ${n}`, nights: 3 });
    };
    await Promise.all(Array.from({ length: CALLERS }, call));
    const began = performance.now();
    broker.createService(Audit());
    await broker.waitForServices("audit");
    const taken = async (): Promise<number> =>
      (await broker.call<{ consumers: { events: number }[] }, object>("audit.consumers", {})).consumers[0]?.events ?? 0;
    await until(taken, count => count === events, 300_000);
    const recordedMs = performance.now() - began;
    const verifying = performance.now();
    await until(
      () => broker.call<{ state: string; ok?: boolean }, object>("audit.verify", {}),
      ({ ok }) => ok === true,
      300_000,
    );
    const verifiedMs = performance.now() - verifying;
    return { recorded: (events / recordedMs) * 1_000, verified: (events / verifiedMs) * 1_000 };
  } finally {
    await broker.stop();
    await rm(folder, { recursive: true });
  }
}

const results: Awaited<ReturnType<typeof run>>[] = [];
for (let n = 0; n < runs; n++) results.push(await run());
const row = (name: string, rates: readonly number[]) => ({
  case: `${name}, ${thousands(events)} events`,
  "a second, median": thousands(Math.round(median(rates))),
  "µs each": Number((1e6 / median(rates)).toFixed(1)),
});
await report("audit", [
  row(
    "recorded",
    results.map(({ recorded }) => recorded),
  ),
  row(
    "verified",
    results.map(({ verified }) => verified),
  ),
]);
