// How many pods, shards, partitions and servers so many orders a day need: docs/capacity.md.
//
//   npm run capacity -- --orders-per-day 1e9 [--peak-factor 3] [--views-per-order 50] [--keep-days 90]
//                       [--carrier jetstream|kafka] [--seed 1] [--json]
import { readArguments, USAGE } from "./arguments.ts";
import { compare } from "./comparison.ts";
import { COSTS } from "./costs.ts";
import { tried } from "./day.ts";
import { ROLES, sensitivity, type Plan } from "./plan.ts";

try {
  const asked = readArguments(process.argv.slice(2));
  if (asked === "help") console.log(USAGE);
  else {
    const { plan, day } = tried(COSTS, asked.wanted, asked.seed);
    const result = {
      wanted: asked.wanted,
      plan,
      day,
      sensitivity: sensitivity(COSTS, asked.wanted),
      compared: compare(),
    };
    if (asked.isJson) console.log(JSON.stringify(result, null, 2));
    else {
      console.log(`${plan.cells} cell(s); each of them:`);
      console.table(summary(plan));
      console.log("a day of one cell, simulated:");
      console.log(day);
      console.log("where it ends, orders a second of one cell:");
      console.table(plan.limits);
      console.log("a million orders cost:", plan.perMillion);
      console.log("what if:");
      console.table(Object.fromEntries(result.sensitivity.map(({ what, plan }) => [what, summary(plan)])));
      console.log("the model beside the measurements:");
      console.table(
        result.compared.map(({ what, figure, model, off }) => ({ what, measured: figure.value, model, off })),
      );
    }
  }
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}

function summary(plan: Plan): Record<string, unknown> {
  return {
    cells: plan.cells,
    ...Object.fromEntries(ROLES.map(role => [role, plan.pods[role]])),
    partitions: plan.partitions,
    shards: plan.postgres.shards,
    "cores a shard": plan.postgres.coresEach,
    pooler: plan.postgres.isPoolerNeeded,
    "tables TB": Number(plan.postgres.tablesTb.toFixed(2)),
    "bus cores": plan.carrier.coresEach,
    "bus keeps min": Number(plan.carrier.keptMinutes.toFixed(1)),
    "node cores, all": Math.ceil(plan.nodeCores),
  };
}
