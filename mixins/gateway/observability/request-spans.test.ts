import { expect, test } from "@jest/globals";
import type { Step } from "../exchange.ts";
import type { Handler } from "../../http/siblings.ts";
import { traceRequests, traceSteps } from "./request-spans.ts";

test("where nothing is traced, nothing stands around requests and steps", () => {
  const handler: Handler = () => {};
  const step: Step = (_exchange, next) => next();
  expect(traceRequests(handler, { isTraced: () => true, publicUrl: undefined })).toBe(handler);
  expect(traceSteps(step, [])).toBe(step);
});
