// The model beside the measurements, in the order of docs/capacity.md.
import { COSTS, MEASURED, type Costs, type Figure } from "./costs.ts";
import * as systems from "./systems.ts";

/** Part of a measurement that the model may miss it by. */
export const TOLERANCE = 0.2;

export interface Compared {
  readonly what: string;
  readonly figure: Figure;
  readonly model: number;
  /** How far the model is off, as a part of the measurement. */
  readonly off: number;
  /** Why it is known to miss this one; undefined where it has to be within the tolerance. */
  readonly misses?: string;
}

export function compare(costs: Costs = COSTS): Compared[] {
  const paced = systems.pacedOnPostgres(costs);
  const oneNode = systems.wholeOrders(costs, 1);
  const row = (what: string, name: string, model: number, misses?: string): Compared => {
    const figure = MEASURED[name]!;
    return { what, figure, model, off: model / figure.value - 1, ...(misses && { misses }) };
  };
  return [
    row("orders accepted by one process, 64 connections", "accepted", systems.acceptedOrders(costs).perSecond),
    row("whole orders of one node, a third of a core", "completedOfOne", oneNode),
    row("three such nodes beside one", "timesOne", systems.wholeOrders(costs, 3) / oneNode),
    row("durable commands on SQLite, 64 callers", "sqlite64", systems.onSqlite(costs, 64).perSecond),
    row("the same, 256 callers", "sqlite256", systems.onSqlite(costs, 256).perSecond),
    row("one hot actor on Postgres, 256 callers", "postgresHot256", systems.hotOnPostgres(costs, 256).perSecond),
    row("catch-up by JetStream", "jetstreamCatchUp", systems.catchUp(costs, costs.jetstreamCatchUpCpuUs)),
    row("catch-up by Kafka", "kafkaCatchUp", systems.catchUp(costs, costs.kafkaCatchUpCpuUs)),
    row("commands on Postgres at half the highest rate, p50", "postgresP50Ms", paced.p50Ms),
    row("the gateway, an action of 1 ms, 400 a second, p50", "overloadP50Ms", systems.overloaded(costs, 400).p50Ms),
    row("the same, 821 a second: answered", "overloadAt1", systems.overloaded(costs, 821).perSecond),
    row(
      "commands on Postgres at half the highest rate, p99",
      "postgresP99Ms",
      paced.p99Ms,
      "garbage collection, checkpoints of Postgres and other programs on two cores are not in the model",
    ),
    row(
      "one hot actor on SQLite, 256 callers",
      "sqliteHot256",
      systems.onSqlite(costs, 256).perSecond,
      "a batch for one stream writes its head once, and costs the loop less; the model has one cost of a command",
    ),
  ];
}
