import { once } from "node:events";
import { pathToFileURL } from "node:url";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { expect, test } from "@jest/globals";

test("a call that a reactor does not wait for may fail without ending the process", async () => {
  const reactor = pathToFileURL(join(import.meta.dirname, "reactor.ts")).href;
  // In a thread of its own: it ends where a process would.
  const thread = new Worker(
    `import(${JSON.stringify(reactor)}).then(async ({ consumerOf }) => {
      const broker = { call: async () => { throw new Error("nobody is there"); } };
      const on = { "thing.made": async (event, { call }) => { void call("target.hit", {}); } };
      await consumerOf({ name: "careless", on }, broker).react({ eventId: "thing.a@1", type: "thing.made" });
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
