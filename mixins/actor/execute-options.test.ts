import { expect, test } from "@jest/globals";
import { executeOptionsOf } from "./mixin.ts";

test("the time that a call has waited before its handler is not given to its command again", () => {
  const [seconds, nanoseconds] = process.hrtime();
  const broker = { nodeID: "here" };
  const ctx = { broker, options: { timeout: 3_000 }, meta: {}, params: {}, startHrTime: [seconds - 1, nanoseconds] };
  const { deadline } = executeOptionsOf(ctx as never);
  expect(deadline! - performance.now()).toBeLessThanOrEqual(2_000);
  expect(deadline! - performance.now()).toBeGreaterThan(1_500);
});
