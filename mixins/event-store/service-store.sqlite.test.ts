import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "@jest/globals";
import { ServiceBroker, type Service } from "moleculer";
import { readEnvironment } from "../kernel/index.ts";
import { appendOf, verdictOf } from "./event-store.conformance.ts";
import { eventStoreOf } from "./siblings.ts";

let folder: string;
afterEach(() => rm(folder, { recursive: true }));

test("P1 a service has one event store in its own database, open until every service has stopped", async () => {
  folder = await mkdtemp(join(tmpdir(), "event-store-"));
  const start = async () => {
    const broker = new ServiceBroker({ logger: false, valence: readEnvironment({ DATA_DIR: folder }) } as object);
    const things = broker.createService({ name: "things" });
    await broker.start();
    return { broker, things };
  };
  const lastWords: string[] = [];
  const { broker, things } = await start();
  const store = await eventStoreOf(things);
  expect(await eventStoreOf(things)).toBe(store);
  broker.createService({
    name: "late",
    async stopped(this: Service) {
      await new Promise(resolve => setTimeout(resolve, 50));
      lastWords.push((await verdictOf(store, appendOf("thing.1", 0))).kind);
    },
  });
  await broker.stop();
  expect(lastWords).toEqual(["ok"]);
  expect((await verdictOf(store, appendOf("thing.1", 1))).kind).toBe("failed");

  const again = await start();
  expect((await (await eventStoreOf(again.things)).load("thing.1", 1)).version).toBe(1);
  await again.broker.stop();
});
