// Replay: the activation of an actor with 10 000 events, with and without snapshot, and the speed at which the order
// views are rebuilt from the log.
//
//   node benchmarks/replay.ts [--events 10000] [--orders 40000] [--runs 5]
import { mkdtemp, rm } from "node:fs/promises";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ServiceBroker } from "moleculer";
import { brokerOptions } from "@valence/runtime/broker";
import type { Actor } from "@valence/runtime/actor";
import { ActorHost } from "../../mixins/actor/siblings.ts";
import type { EventStore, NewEvent } from "@valence/runtime/event-store";
import { openEventStore } from "../../mixins/event-store/siblings.ts";
import { autoCommandId, newId, readEnvironment } from "@valence/runtime/kernel";
import { Stock } from "../../services/inventory/stock.ts";
import orders from "../../services/orders/orders.service.ts";
import orderViews from "../../services/order-views/order-views.service.ts";
import { median, option, report, thousands } from "../harness.ts";

const events = option("events", 10_000);
const orderCount = option("orders", 40_000);
const runs = option("runs", 5);

const folder = await mkdtemp(join(tmpdir(), "valence-replay-"));
const open = (name: string): Promise<EventStore> =>
  openEventStore({ kind: "sqlite", filename: join(folder, `${name}.sqlite`) });
try {
  await report("replay", [...(await activations()), ...(await rebuilds())]);
} finally {
  await rm(folder, { recursive: true });
}

function append(store: EventStore, stream: string, expectedVersion: number, all: readonly NewEvent[]): Promise<void> {
  const what = { commandId: autoCommandId(), kind: "bench", fingerprint: "", metadata: "{}", answer: null };
  return new Promise((resolve, reject) =>
    store.append({ stream, expectedVersion, events: all, ...what }, ({ kind }) =>
      kind === "ok" ? resolve() : reject(new Error(kind)),
    ),
  );
}
function event(type: string, data: object): NewEvent {
  return { type, schemaVersion: 1, data: JSON.stringify(data) };
}

async function activations(): Promise<Record<string, unknown>[]> {
  const store = await open("stock");
  for (const sku of ["plain", "snapshotted"])
    await append(
      store,
      `stock.${sku}`,
      0,
      Array.from({ length: events }, () => event("stock.received", { quantity: 1 })),
    );
  // A head check takes a snapshot as a commit does, so the plain stream is loaded by a host that takes none.
  const host = (snapshotEvery: number) =>
    new ActorHost({ ...(Stock as Actor), snapshotEvery }, store, { logger: console });
  const filled = host(100);
  for (let i = 0; i < 200; i++) await filled.execute("snapshotted", "receive", { quantity: 1 });
  await sleep(200);
  const rows: Record<string, unknown>[] = [];
  for (const [sku, label] of [
    ["plain", "without snapshot"],
    ["snapshotted", "with snapshot"],
  ] as const) {
    const times: number[] = [];
    for (let run = 0; run < runs * 4; run++) {
      const fresh = host(Number.POSITIVE_INFINITY);
      const began = performance.now();
      await fresh.get(sku);
      times.push(performance.now() - began);
      await fresh.drain();
    }
    rows.push({
      case: `activation, ${thousands(events)} events, ${label}`,
      "ms, median": Number(median(times).toFixed(2)),
    });
  }
  await filled.drain();
  await store.close();
  return rows;
}

async function rebuilds(): Promise<Record<string, unknown>[]> {
  await fillOrders();
  const environment = readEnvironment({ DATA_DIR: folder });
  const broker = new ServiceBroker({ ...brokerOptions(environment), logger: false });
  broker.createService(orders);
  broker.createService(orderViews);
  await broker.start();
  await caughtUp(broker);
  const rows: Record<string, unknown>[] = [];
  for (const name of ["order-list", "customers", "sales"]) {
    const speeds: number[] = [];
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    for (let run = 0; run < Math.min(3, runs); run++) {
      const began = performance.now();
      await broker.call("order-views.rebuildProjection", { name });
      await caughtUp(broker, name);
      speeds.push((orderCount * 5) / ((performance.now() - began) / 1_000));
    }
    rows.push({
      case: `rebuild of ${name}, ${thousands(orderCount * 5)} events`,
      "events/s": thousands(median(speeds)),
      "loop delay p99 ms": Number((delay.percentile(99) / 1e6).toFixed(1)),
    });
  }
  await broker.stop();
  return rows;
}

/** Orders as the shop writes them, straight into the store. */
async function fillOrders(): Promise<void> {
  const store = await open("orders");
  const customers = Array.from({ length: 1_000 }, newId);
  const money = { amount: 5_100, currency: "EUR" };
  const lines = [{ productId: newId(), sku: "TEX-014", name: "Bath Sheet", quantity: 1, unitPrice: money }];
  const shippingAddress = { name: "A", line1: "1", city: "C", postalCode: "1", country: "DE" };
  const payment = { method: "card", token: "tok_ok" };
  await Promise.all(
    Array.from({ length: orderCount }, (_, i) => {
      const placedAt = new Date(Date.UTC(2026, 0, 1) + i * 1_000).toISOString();
      const customer = customers[i % customers.length]!;
      return append(store, `order.${newId()}`, 0, [
        event("order.placed", { customer, lines, total: money, shippingAddress, payment, fromCart: false, placedAt }),
        event("order.stock_reserved", {}),
        event("order.paid", { paymentId: newId() }),
        event("order.confirmed", {}),
        event("order.shipped", { trackingId: "V1" }),
      ]);
    }),
  );
  await store.close();
}

/** Resolves when every build of the projection is live and has caught up. */
async function caughtUp(broker: ServiceBroker, name?: string): Promise<void> {
  for (const end = Date.now() + 120_000; Date.now() < end; await sleep(20)) {
    const { projections } = await broker.call<any, object>("order-views.projections", {});
    const mine = projections.filter((projection: any) => name === undefined || projection.name === name);
    if (
      mine.length > 0 &&
      mine.every((projection: any) => projection.state !== "building" && projection.lagEvents === 0)
    )
      return;
  }
  throw new Error("the projections did not catch up");
}
