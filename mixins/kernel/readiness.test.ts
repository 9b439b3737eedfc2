import { expect, test } from "@jest/globals";
import { unreadyServices } from "./readiness.ts";

test("a service is unready while its ready() says no, and one that declares nothing is ready", () => {
  const warm = { name: "warm", ready: () => true };
  const filling = { name: "filling", filled: false, ready: () => filling.filled };
  const broker = { services: [{ name: "plain" }, warm, filling] };
  expect(unreadyServices(broker)).toEqual(["filling"]);
  filling.filled = true;
  expect(unreadyServices(broker)).toEqual([]);
});
