import { test } from "@jest/globals";
import { given } from "@valence/runtime/actor";
import { checkGolden } from "@valence/runtime/testing";
import { contract } from "./contract.ts";
import { DISPATCH_AFTER_MS, Shipment } from "./shipment.ts";

const { event } = contract;
const address = { name: "Ada", line1: "1 Main Street", city: "London", postalCode: "N1", country: "GB" };
const items = [{ sku: "MUG-001", quantity: 2 }];
const created = event("shipment.created", { trackingId: "track-1", address, items });
const dispatched = event("shipment.dispatched", { trackingId: "track-1" });

test("golden samples decode, fold and give the golden snapshot", () => checkGolden(Shipment, import.meta.dirname));

test("is created with a tracking id and leaves by a durable timer", () => {
  const creation = given(Shipment).when("create", { address, items });
  creation.yields(event("shipment.created", { trackingId: "id-1", address, items }));
  creation.timers({ set: "dispatch", afterMs: DISPATCH_AFTER_MS, command: "dispatch", params: {} });
  creation.replies({ trackingId: "id-1" });
});

test("goes to an address without a postal code, and to one that an earlier release took for one", () => {
  const { postalCode: _, ...codeless } = { ...address, country: "HK", region: "Kowloon", phone: "+852 2123 4567" };
  for (const other of [codeless, { ...address, name: " \u202eadA", country: "QQ", line2: "" }])
    given(Shipment)
      .when("create", { address: other, items })
      .yields(event("shipment.created", { trackingId: "id-1", address: other, items }));
});

test("created again, it stays the one that it is", () => {
  const again = given(Shipment, created).when("create", { address, items });
  again.yields();
  again.timers();
  again.replies({ trackingId: "track-1" });
});

test("is dispatched once", () => {
  given(Shipment, created).when("dispatch", {}).yields(dispatched);
  given(Shipment, created, dispatched).when("dispatch", {}).yields();
});

test("refuses to dispatch what does not exist", () =>
  given(Shipment).when("dispatch", {}).refuses("SHIPMENT_NOT_FOUND"));
