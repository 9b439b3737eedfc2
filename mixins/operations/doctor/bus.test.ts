import { expect, test } from "@jest/globals";
import { newClusterKeys, readEnvironment } from "../../kernel/index.ts";
import { busOf } from "./bus.ts";

const NATS_URL = "nats://127.0.0.1:4222";

test("a bus without keys is a warning, in production a failure, and without a bus there is nothing to say", () => {
  expect(busOf(readEnvironment({}), true)).toEqual([]);
  expect(busOf(readEnvironment({ NATS_URL }), false)).toMatchObject([{ status: "warn", check: "identity" }]);
  expect(busOf(readEnvironment({ NATS_URL }), true)).toMatchObject([{ status: "FAIL", check: "identity" }]);
});

test("nodes with keys are well, and better when the keys say who owns which log", () => {
  const withKeys = (service: string) => {
    const { clusterKeys: CLUSTER_KEYS, nodeKeys } = newClusterKeys({ core: [service] });
    return busOf(readEnvironment({ NATS_URL, CLUSTER_KEYS, NODE_KEY: nodeKeys.get("core")! }), true);
  };
  expect(withKeys("loans:loan")).toMatchObject([{ status: "ok", message: expect.stringContaining("core") }]);
  expect(withKeys("loans")).toMatchObject([{ status: "warn", message: expect.stringContaining("any log") }]);
});
