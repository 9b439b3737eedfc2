// Retention: finished orders leave the hot tables, and every read answers as before.
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { Service, ServiceSchema } from "moleculer";
import type { HostingService } from "@valence/runtime/actor/mixin";
import { COMMAND_ID, newId } from "@valence/runtime/kernel";
import { defineReactor } from "@valence/runtime/stream";
import { Reactors } from "@valence/runtime/stream/mixin";
import catalog from "../../../services/catalog/catalog.service.ts";
import { seedProducts } from "../../../services/catalog/products.seed.ts";
import checkout from "../../../services/checkout/checkout.service.ts";
import inventory from "../../../services/inventory/inventory.service.ts";
import orderViews from "../../../services/order-views/order-views.service.ts";
import orders from "../../../services/orders/orders.service.ts";
import ops from "../../../services/ops/ops.service.ts";
import payments from "../../../services/payments/payments.service.ts";
import paymentProvider from "../../../services/payments/provider/provider.service.ts";
import shipping from "../../../services/shipping/shipping.service.ts";
import { until } from "@valence/runtime/testing";
import { startBroker, type TestBroker } from "@valence/runtime/testing/broker";
import { ADDRESS } from "../support/shop.ts";

/** A consumer that fails at the orders in this set. */
const indigestible = new Set<string>();
const slow: ServiceSchema = {
  name: "slow",
  mixins: [
    Reactors(
      defineReactor({
        name: "slow",
        on: {
          "order.placed": async ({ stream }) => {
            if (indigestible.has(stream)) throw Object.assign(new Error("not now"), { retryable: true });
          },
        },
      }),
    ),
  ],
};

let shop: TestBroker;
let productId: string;
const customer = newId();
beforeAll(async () => {
  shop = await startBroker([
    catalog,
    orders,
    inventory,
    paymentProvider,
    payments,
    shipping,
    checkout,
    orderViews,
    ops,
    slow,
  ]);
  await shop.call("catalog.seed", { products: seedProducts.slice(0, 1) });
  const [product] = (await shop.call("catalog.list", {})).rows;
  productId = product!.id;
  await shop.call("inventory.receive", { id: product!.sku, quantity: 1_000 });
});
afterAll(() => shop.stop());

const command = (id: string, token = "tok_ok") => ({
  id,
  customer,
  lines: [{ productId, quantity: 1 }],
  shippingAddress: ADDRESS,
  payment: { method: "card" as const, token },
});
const place = (id: string, token?: string) =>
  shop.broker.call<any, object>("orders.place", command(id, token), headers(id));
const headers = (id: string) => ({ headers: { [COMMAND_ID]: `client:test:${id}` } }) as object;
async function shipped(): Promise<{ id: string; answer: unknown }> {
  const id = newId();
  const answer = await place(id);
  await until("it is shipped", async () => (await shop.call("orders.view", { id })).status === "shipped");
  return { id, answer };
}
const archive = (type: string, more: object = {}) =>
  shop.broker.call<any, object>(
    "ops.archive",
    { type, olderThanDays: 0, ...more },
    { meta: { user: { id: "root", roles: ["admin"] } } },
  );
const store = (service: string) => (shop.broker.getLocalService(service) as Service & HostingService).actors.store;
const isArchived = async (id: string) => (await store("orders").load(`order.${id}`, 1)).archived;
const list = async () => (await shop.call("order-views.list", { customer })).rows;

test("P3 P4 a finished order is archived once every consumer has it, and is asked, repeated and rebuilt from as before", async () => {
  const first = await shipped();
  const second = await shipped();
  const held = newId();
  indigestible.add(held);
  await place(held);
  await until("it is shipped", async () => (await shop.call("orders.view", { id: held })).status === "shipped");
  await until("the list has caught up", async () => (await list()).every(row => row.status === "shipped"));
  const before = {
    view: await shop.call("orders.view", { id: first.id }),
    events: (await shop.call("orders.timeline", { id: first.id })).events,
    rows: await list(),
  };
  await until("a dry run tells of both", async () => (await archive("order", { dryRun: true })).archived === 2);
  expect(await isArchived(first.id)).toBe(false);
  await until("all but the held one are archived", async () => {
    await archive("order");
    return (await isArchived(first.id)) && isArchived(second.id);
  });
  const kept = [{ reason: "slow has not taken all of their events", streams: 1 }];
  expect(await archive("order")).toMatchObject({ archived: 0, waiting: 1, kept });
  expect(await isArchived(held)).toBe(false);
  const shown = (id: string) => shop.broker.call("ops.actor", { type: "order", id });
  expect(await shown(first.id)).toMatchObject({ isArchived: true, owner: shop.broker.nodeID, timers: [] });
  expect(await shown(held)).toMatchObject({ isArchived: false });

  expect(await shop.call("orders.view", { id: first.id })).toEqual(before.view);
  expect((await shop.call("orders.timeline", { id: first.id })).events).toEqual(before.events);
  expect(await place(first.id)).toEqual(first.answer);
  const cancel = shop.broker.call<any, object>("orders.cancel", { id: first.id, customer }, headers("cancel"));
  await expect(cancel).rejects.toMatchObject({
    type: "ARCHIVED",
    code: 409,
  });

  const { build } = await shop.broker.call<any, object>("order-views.rebuildProjection", { name: "order-list" });
  await until("the rebuilt list is live", async () => {
    const { projections } = await shop.broker.call<any, object>("order-views.projections", {});
    return projections.some((row: any) => row.name === "order-list" && row.build === build && row.state === "live");
  });
  expect(await list()).toEqual(before.rows);

  indigestible.clear();
  await until("the held one is archived too", async () => {
    await archive("order");
    return isArchived(held);
  });
});

test("the journals of sagas that have ended, payments and shipments are archived too", async () => {
  const { id } = await shipped();
  await until("the saga has ended", async () => {
    const saga = await shop.broker.call<any, object>("checkout.saga", { id: `checkout.${id}` });
    return saga.state === "completed";
  });
  for (const type of ["sagas", "payment", "shipment"])
    await until(`${type} are archived`, async () => (await archive(type)).archived > 0);
  const saga = await shop.broker.call<any, object>("checkout.saga", { id: `checkout.${id}` });
  expect(saga.timeline.at(-1).type).toBe("saga.completed");
});

test("P5 a finished order stays while its saga is open, which would be refused by it", async () => {
  const id = newId();
  await place(id, "tok_slow");
  await until("it is being paid", async () => (await shop.call("orders.view", { id })).status === "stock_reserved");
  await shop.call("orders.cancel", { id, customer });
  await until("only its saga needs it", async () => {
    const { kept } = await archive("order");
    expect(await isArchived(id)).toBe(false);
    return isDeepStrictEqual(kept, [{ reason: "open sagas of checkout may call them", streams: 1 }]);
  });
  const saga = () => shop.broker.call<any, object>("checkout.saga", { id: `checkout.${id}` });
  await until("the saga has told it", async () => (await saga()).state === "compensated");
  await until("it is archived", async () => {
    await archive("order");
    return isArchived(id);
  });
});

test("P4 what a service that is away has not taken stays, until it is back or said to be gone", async () => {
  await shop.broker.destroyService("slow");
  const { id } = await shipped();
  await until("the others have it", async () => {
    const { kept } = await archive("order");
    expect(await isArchived(id)).toBe(false);
    return isDeepStrictEqual(kept, [{ reason: "slow is away and may still need them", streams: 1 }]);
  });
  await until("it is archived without it", async () => {
    await archive("order", { gone: ["slow"] });
    return isArchived(id);
  });
});
