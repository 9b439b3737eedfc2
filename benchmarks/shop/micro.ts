// Micro suites with benchmark.js: the cost of each part of a command on the loop.
import Benchmark from "benchmark";
import { Validator } from "../../mixins/broker/validator.ts";
import { paramsOf } from "@valence/runtime/contract";
import { decide, decisionOf, rendezvous } from "@valence/runtime/actor";
import { fingerprintOf } from "@valence/runtime/kernel";
import { contract } from "../../services/inventory/contract.ts";
import { Stock } from "../../services/inventory/stock.ts";
import { report } from "../harness.ts";

const state = { ...Stock.initial(), available: 1_000_000, received: 1_000_000 };
const decision = decisionOf("MUG-001", "2026-01-01T00:00:00.000Z", () => "id");
const command = { orderId: "0190f5fe-0000-7000-8000-000000000001", quantity: 1 };
const check = new Validator().compile(paramsOf(contract.commands.reserve));
const nodes = Array.from({ length: 8 }, (_, i) => ({ id: `node-${i}` }));
const mailbox: number[] = [];
/** Results are assigned here; otherwise the compiler would see that they are unused and leave the work out. */
export const sink: { last: unknown } = { last: undefined };

const rows: Record<string, unknown>[] = [];
new Benchmark.Suite()
  .add("decide + evolve: reserve stock", () => void (sink.last = decide(Stock, state, "reserve", command, decision)))
  .add("validate: params of reserve", () => void (sink.last = check(command)))
  .add("fingerprint: SHA-256 of canonical JSON", () => void (sink.last = fingerprintOf("reserve", command)))
  .add(
    "placement: rendezvous over 8 nodes",
    () => void (sink.last = rendezvous("order-0190f5fe", nodes, node => node.id)),
  )
  .add("mailbox: push and shift behind 64", () => {
    mailbox.push(1);
    if (mailbox.length > 64) mailbox.shift();
  })
  .on("cycle", ({ target }: { target: Benchmark }) => {
    rows.push({
      suite: target.name,
      "ops/s": Math.round(target.hz),
      µs: Number((1e6 / target.hz).toFixed(3)),
      "±%": Number(target.stats.rme.toFixed(1)),
      samples: target.stats.sample.length,
    });
  })
  .run({ async: false });
await report("micro", rows);
