import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { ServiceBroker, type Context, type ServiceActions } from "moleculer";
import { timeouts } from "./timeouts.ts";

let release = (_answer?: unknown): void => {};
let fail = (_error: Error): void => {};
const held = () =>
  new Promise((resolve, reject) => {
    release = resolve;
    fail = reject;
  });
const left = (ctx: Context) => ctx.options.timeout;

const broker = new ServiceBroker({
  nodeID: "own",
  logger: false,
  requestTimeout: 5_000,
  internalMiddlewares: false,
  middlewares: [timeouts, "ErrorHandler"] as never,
  tracking: { enabled: true, shutdownTimeout: 1_000 },
});
broker.createService({
  name: "slow",
  actions: {
    held,
    left,
    leftOfOwn: { timeout: 1_000, handler: left },
    leftForEver: { timeout: 0, handler: left },
    passesOn: { timeout: 1_000, handler: (ctx: Context) => ctx.call("slow.left") },
    throws: () => Promise.reject(new Error("own")),
  } as object as ServiceActions,
});
beforeAll(() => broker.start());
afterAll(() => broker.stop());

test("a call that takes too long is a time-out of its action and node, and what it answers later is nobody's", async () => {
  await expect(broker.call("slow.held", {}, { timeout: 5 })).rejects.toMatchObject({
    name: "RequestTimeoutError",
    code: 504,
    retryable: true,
    data: { action: "slow.held", nodeID: "own" },
  });
  release("late");
  await expect(broker.call("slow.held", {}, { timeout: 5 })).rejects.toMatchObject({ type: "REQUEST_TIMEOUT" });
  // Unhandled, it would end the process.
  fail(new Error("late"));
});

test("an answer or error in time is the call's", async () => {
  const answer = broker.call("slow.held", {});
  release("in time");
  expect(await answer).toBe("in time");
  await expect(broker.call("slow.throws", {})).rejects.toThrow("own");
});

test("a call has the time that its caller says, else its action, else the broker; 0 is for ever", async () => {
  expect(await broker.call("slow.left", {}, { timeout: 2_000 })).toBe(2_000);
  expect(await broker.call("slow.leftOfOwn", {})).toBe(1_000);
  expect(await broker.call("slow.left", {})).toBe(5_000);
  expect(await broker.call("slow.leftForEver", {})).toBe(0);
});

test("a nested call has the time that is left of its caller's", async () => {
  const ms = await broker.call<number, object>("slow.passesOn", {});
  expect(ms).toBeGreaterThan(0);
  expect(ms).toBeLessThan(1_000);
});

test("a call is under way until its action ends, also when nobody waits any more", async () => {
  const underWay = () =>
    (broker.getLocalService("slow") as unknown as { _trackedContexts: Context[] })._trackedContexts;
  expect(underWay()).toHaveLength(0);
  const late = broker.call("slow.held", {}, { timeout: 5 });
  const end = release;
  const forEver = broker.call("slow.held", {}, { timeout: 0 });
  await expect(late).rejects.toMatchObject({ type: "REQUEST_TIMEOUT" });
  expect(underWay().map(({ options: { timeout } }) => timeout)).toEqual([5, 0]);
  end();
  await new Promise(setImmediate);
  expect(underWay().map(({ options: { timeout } }) => timeout)).toEqual([0]);
  fail(new Error("ended"));
  await expect(forEver).rejects.toThrow("ended");
  await broker.call("slow.left", {}, { tracking: false } as object);
  expect(underWay()).toHaveLength(0);
});
