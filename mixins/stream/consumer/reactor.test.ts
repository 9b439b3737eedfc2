import { once } from "node:events";
import { pathToFileURL } from "node:url";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { expect, test } from "@jest/globals";
import { consumerOf } from "./reactor.ts";

test("a call that a reactor does not wait for may fail without ending the process", async () => {
  const reactor = pathToFileURL(join(import.meta.dirname, "reactor.ts")).href;
  // In a thread of its own: it ends where a process would.
  const thread = new Worker(
    `import(${JSON.stringify(reactor)}).then(async ({ consumerOf }) => {
      const broker = { call: async () => { throw new Error("nobody is there"); } };
      const on = { "thing.made": async (event, { call }) => { void call("target.hit", {}); } };
      await consumerOf({ name: "careless", on }, broker, "careless").react({ eventId: "thing.a@1", type: "thing.made", metadata: {} });
      setTimeout(() => process.exit(7), 20);
    })`,
    { eval: true },
  );
  const errors: unknown[] = [];
  thread.on("error", error => errors.push(error));
  const [code] = await once(thread, "exit");
  expect(errors).toEqual([]);
  expect(code).toBe(7);
});

test("a reactor calls on behalf of whoever caused the event; a permission of theirs does not travel", async () => {
  const calls: object[] = [];
  const broker = { call: async (_action: string, _params: object, options: object) => void calls.push(options) };
  const on = { "thing.made": (_event: unknown, { call }: { call: any }) => call("target.hit", {}) };
  const metadata = { user: "ann", key: "k1", requestId: "r-1", caller: "api", node: "n1", commandId: "client:ann:1" };
  const { react } = consumerOf({ name: "careful", on } as never, broker, "hitters");
  await react!({ eventId: "thing.a@1", type: "thing.made", metadata } as never);
  await react!({ eventId: "thing.a@2", type: "thing.made", metadata: {} } as never);
  expect(calls).toMatchObject([
    { caller: "hitters", requestID: "r-1", meta: { onBehalf: { user: "ann", key: "k1" } } },
    { caller: "hitters" },
  ]);
  expect(calls[0]).not.toHaveProperty("meta.user");
  expect(calls[1]).not.toHaveProperty("meta");
});
