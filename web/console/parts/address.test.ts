import { expect, test } from "@jest/globals";
import { actorAddress, addressOf } from "./address.ts";

test.each([
  [
    "ops.sagas",
    { state: "stuck", name: "checkout", reason: "A B" },
    "/console/sagas?state=stuck&name=checkout&reason=A+B",
  ],
  ["ops.saga", { id: "checkout.1/2" }, "/console/sagas/checkout.1%2F2"],
  ["ops.deadLetters", { service: undefined }, "/console/letters"],
  ["ops.archive", {}, undefined],
])("%s leads to its screen", (action, params, address) => expect(addressOf({ action, params })).toBe(address));

test("what looks no further has no address", () => expect(addressOf(undefined)).toBeUndefined());

test("an actor's id may have any character", () =>
  expect(actorAddress({ type: "stock", id: "A/1?" })).toBe("/console/actors/stock/A%2F1%3F"));
