import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { ServiceBroker, type ServiceActions } from "moleculer";
import { fallback } from "./fallback.ts";

const broker = new ServiceBroker({
  logger: false,
  internalMiddlewares: false,
  middlewares: [fallback, "ErrorHandler"] as never,
});
const fails = () => Promise.reject(new Error("own"));
broker.createService({
  name: "slow",
  actions: { fails, falls: { handler: fails, fallback: () => "the action's" } } as object as ServiceActions,
});
beforeAll(() => broker.start());
afterAll(() => broker.stop());

test("a call that fails has its caller's fallback, else the action's, else its error", async () => {
  expect(await broker.call("slow.fails", {}, { fallbackResponse: "the caller's" })).toBe("the caller's");
  expect(await broker.call("slow.falls", {}, { fallbackResponse: "the caller's" })).toBe("the caller's");
  expect(await broker.call("slow.falls", {})).toBe("the action's");
  await expect(broker.call("slow.fails", {})).rejects.toThrow("own");
});
