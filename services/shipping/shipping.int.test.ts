import { afterAll, beforeAll, expect, test } from "@jest/globals";
import type { ServiceSchema } from "moleculer";
import { newId } from "@valence/runtime/kernel";
import { until } from "@valence/runtime/testing";
import { startBroker, type TestBroker } from "@valence/runtime/testing/broker";
import shipping from "./shipping.service.ts";

/** Calls that the order's service would have got. */
const told: { id: string; trackingId: string }[] = [];
const orders: ServiceSchema = {
  name: "orders",
  actions: { markShipped: ctx => void told.push(ctx.params) },
};

let shop: TestBroker;
beforeAll(async () => {
  shop = await startBroker([shipping, orders]);
});
afterAll(() => shop.stop());

test("a shipment leaves by itself and tells its order", async () => {
  const id = newId();
  const { trackingId } = await shop.call("shipping.create", {
    id,
    address: { name: "Ada", line1: "1 Main Street", city: "London", postalCode: "N1", country: "GB" },
    items: [{ sku: "MUG-001", quantity: 1 }],
  });
  await until("the order is told", () => told.length > 0);
  expect(told).toEqual([{ id, trackingId }]);
  expect(await shop.call("shipping.get", { id, consistent: true })).toMatchObject({ state: { status: "dispatched" } });
});
