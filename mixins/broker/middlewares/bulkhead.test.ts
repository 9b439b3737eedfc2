import { AsyncLocalStorage } from "node:async_hooks";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { ServiceBroker } from "moleculer";
import { brokerOptions } from "../index.ts";
import { bulkhead } from "./bulkhead.ts";
import { abandon, readEnvironment } from "../../kernel/index.ts";

let broker: ServiceBroker;
const begun: { name: string; end: () => void }[] = [];
beforeAll(async () => {
  broker = new ServiceBroker({ ...brokerOptions(readEnvironment({})), logger: false });
  broker.createService({
    name: "narrow",
    actions: {
      pass: {
        bulkhead: { concurrency: 1, queue: 2 },
        handler: (ctx: { params: { name: string } }) =>
          new Promise<void>(resolve => begun.push({ name: ctx.params.name, end: resolve })),
      } as object,
    },
  });
  await broker.start();
});
afterAll(() => broker.stop());

const pass = (name: string, timeout = 10_000) => broker.call("narrow.pass", { name }, { timeout });
const names = () => begun.map(({ name }) => name);

test("an action runs so many calls at once, so many wait, and a call whose caller has given up is not begun", async () => {
  const first = pass("first");
  const impatient = pass("impatient", 30);
  const patient = pass("patient");
  await expect(pass("too many")).rejects.toMatchObject({
    type: "TOO_MANY_CALLS",
    code: 503,
    data: { outcome: "none" },
  });
  await expect(impatient).rejects.toMatchObject({ code: 504 });
  expect(names()).toEqual(["first"]);
  begun[0]!.end();
  await first;
  expect(names()).toEqual(["first", "patient"]);
  begun[1]!.end();
  await patient;
});

test("a call whose client has left while it waited is not begun, nor is a call that is part of it", async () => {
  begun.length = 0;
  const client = {};
  const nested = { options: { parentCtx: { options: { parentCtx: client } } } };
  const first = pass("first");
  const left = broker.call("narrow.pass", { name: "left" }, { parentCtx: nested as never });
  const stays = pass("stays");
  left.catch(() => {});
  abandon(client);
  begun[0]!.end();
  await first;
  await expect(left).rejects.toMatchObject({ code: 503, data: { outcome: "none" } });
  expect(names()).toEqual(["first", "stays"]);
  begun[1]!.end();
  await stays;
});

test("a call that has waited is begun in its own context, not in that of the call which ends", async () => {
  const caller = new AsyncLocalStorage<string>();
  const begun: (string | undefined)[] = [];
  const work = async (): Promise<void> => {
    begun.push(caller.getStore());
    await new Promise(setImmediate);
  };
  const bounded = bulkhead.localAction(work, { name: "a", bulkhead: { concurrency: 1, queue: 1 } });
  await Promise.all(["first", "second"].map(name => caller.run(name, () => bounded({ options: {} } as never))));
  expect(begun).toEqual(["first", "second"]);
});

test("a place is given back whatever the call does, also when it throws at once", async () => {
  const fails = () => {
    throw new Error("at once");
  };
  const bounded = bulkhead.localAction(fails, { name: "a", bulkhead: { concurrency: 1, queue: 0 } });
  for (let n = 0; n < 3; n++) await expect(bounded({} as never)).rejects.toThrow("at once");
});
