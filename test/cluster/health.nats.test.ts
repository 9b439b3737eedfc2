// The health of a process without a gateway, from its first moment to its last.
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ServiceBroker } from "moleculer";
import { brokerOptions } from "@valence/runtime/broker";
import { readEnvironment } from "@valence/runtime/kernel";
import { until } from "@valence/runtime/testing";
import { Child, freePort, Nats } from "@valence/runtime/testing/servers";

const NODE = new URL("node.fixture.ts", import.meta.url).pathname;

let folder: string;
let nats: Nats;
let node: Child;
let caller: ServiceBroker | undefined;
let url: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "health-"));
  nats = await Nats.start();
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  await nats.halt();
  node = new Child([NODE], {
    LOGLEVEL: "warn",
    NODEID: "node",
    NATS_URL: nats.url,
    DATA_DIR: folder,
    HEALTH_PORT: `${port}`,
  });
});
afterEach(async () => {
  await node.end("SIGKILL");
  await caller?.stop();
  caller = undefined;
  await nats.stop();
  await rm(folder, { recursive: true, force: true });
});

const ask = (path: string, method = "GET") => fetch(url + path, { method });
const live = async () => (await ask("/health/live")).status;
const readiness = async () => {
  const response = await ask("/health/ready");
  const { detail, status } = (await response.json()) as { detail?: string; status: string };
  return response.status === 200 ? status : `${response.status} ${detail}`;
};
const untilReadiness = (expected: string) =>
  until(`it says ${expected}`, async () => {
    expect(await live()).toBe(200);
    return (await readiness()) === expected;
  });

test("it is live from the first moment, and ready while it has started, has its bus and goes on", async () => {
  await until("it listens", () => live().then(Boolean, () => false));
  expect(await readiness()).toBe("503 starting");
  await nats.start();
  await untilReadiness("ready");

  await nats.halt();
  await untilReadiness("503 the connection to the other nodes is gone");
  await nats.start();
  await untilReadiness("ready");

  const options = {
    ...brokerOptions(readEnvironment({ NATS_URL: nats.url })),
    nodeID: "caller",
    logger: false as const,
  };
  caller = new ServiceBroker(options);
  await caller.start();
  await caller.waitForServices("nodes");
  const file = join(folder, "held");
  await writeFile(file, "");
  const held = caller.call("nodes.hold", { file }, { nodeID: "node", timeout: 0 });
  await until("the call has arrived", () => caller!.call<string[], object>("nodes.peers", {}).then(Boolean));
  node.process.kill("SIGTERM");
  await untilReadiness("503 draining");
  expect(await live()).toBe(200);
  await rm(file);
  await held;
  await until("it has ended", () => !node.running);
  expect(node.process.exitCode).toBe(0);
});

test("a refusal is a problem document, and other paths and methods get one too", async () => {
  await until("it listens", () => live().then(Boolean, () => false));
  const unready = await ask("/health/ready");
  expect(unready.headers.get("content-type")).toBe("application/problem+json");
  expect(await unready.json()).toEqual({
    type: "/problems/not-ready",
    title: "Service Unavailable",
    status: 503,
    detail: "starting",
    requestId: unready.headers.get("x-request-id"),
  });
  expect((await ask("/health/live", "HEAD")).status).toBe(200);
  expect((await ask("/health/live", "POST")).status).toBe(405);
  expect((await ask("/healthz")).status).toBe(404);
  expect((await ask("/metrics")).status).toBe(401);
});
