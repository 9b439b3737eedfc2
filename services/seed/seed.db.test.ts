import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { brokerOptions } from "@valence/runtime/broker";
import { newDatabases, type Databases } from "@valence/runtime/testing/servers";
import { typedCall } from "@valence/runtime/contract";
import { readEnvironment, Refusal } from "@valence/runtime/kernel";
import accounts from "../accounts/accounts.service.ts";
import catalog from "../catalog/catalog.service.ts";
import { seedProducts } from "../catalog/products.seed.ts";
import inventory from "../inventory/inventory.service.ts";
import seed from "./seed.service.ts";

let databases: Databases;
const brokers: ServiceBroker[] = [];
beforeEach(async () => {
  databases = await newDatabases();
});
afterEach(async () => {
  await stopAll();
  await databases.remove();
});
const stopAll = () => Promise.all(brokers.splice(0).map(broker => broker.stop()));

const ADMIN = { email: "root@example.com", password: "correct horse" };
async function start(
  services: ServiceSchema[],
  extra: Record<string, string> = {},
  fatal: (...line: unknown[]) => void = () => {},
) {
  const environment = readEnvironment({
    ...databases.env,
    ADMIN_EMAIL: ADMIN.email,
    ADMIN_PASSWORD: ADMIN.password,
    ...extra,
  });
  const broker = new ServiceBroker({ ...brokerOptions(environment), logger: false });
  broker.fatal = fatal;
  brokers.push(broker);
  for (const service of services) broker.createService(service);
  await broker.start();
  return broker;
}
const filled = (broker: ServiceBroker): Promise<void> =>
  (broker.getLocalService("seed") as unknown as { running: Promise<void> }).running;
const levels = (broker: ServiceBroker) =>
  Promise.all(
    seedProducts.map(({ sku }) => typedCall(broker)("inventory.level", { sku }).then(level => level.available)),
  );
const allOf = (n: number) => seedProducts.map(() => n);

test("a first start makes an administrator, the catalog and stock; later ones change nothing", async () => {
  const first = await start([seed, inventory, catalog, accounts]);
  await filled(first);
  const call = typedCall(first);
  const { user } = await call("accounts.login", ADMIN);
  expect(user.roles).toContain("admin");
  const list = await call("catalog.list", { pageSize: 1 });
  expect(list.total).toBe(seedProducts.length);
  expect(list.total).toBeGreaterThanOrEqual(100);
  expect(await levels(first)).toEqual(allOf(100));

  await call("inventory.receive", { id: seedProducts[0]!.sku, quantity: 5 });
  await call("catalog.remove", { id: list.rows[0]!.id });
  await stopAll();

  const second = await start([accounts, catalog, inventory, seed], { ADMIN_PASSWORD: "something else" });
  await filled(second);
  expect((await levels(second))[0]).toBe(105);
  expect((await typedCall(second)("catalog.list", { pageSize: 1 })).total).toBe(seedProducts.length - 1);
  await typedCall(second)("accounts.login", ADMIN);
});

test("a start that ended before its mark is completed by the next, and nothing is there twice", async () => {
  const first = await start([accounts, catalog, inventory, seed]);
  await filled(first);
  await (first.getLocalService("seed") as any).database.knex("marks").delete();
  await stopAll();

  const second = await start([accounts, catalog, inventory, seed]);
  await filled(second);
  expect(await levels(second)).toEqual(allOf(100));
  expect((await typedCall(second)("catalog.list", { pageSize: 1 })).total).toBe(seedProducts.length);
});

test("it waits for services that start later, and a stop does not wait for them", async () => {
  const broker = await start([seed, accounts]);
  await new Promise(resolve => setTimeout(resolve, 50));
  broker.createService(catalog);
  broker.createService(inventory);
  await filled(broker);
  expect(await levels(broker)).toEqual(allOf(100));
  await stopAll();

  await databases.remove();
  databases = await newDatabases();
  await start([seed, accounts]);
  const from = performance.now();
  await stopAll();
  expect(performance.now() - from).toBeLessThan(5_000);
});

test("a refusal is not retried: the start ends with one line that gives the reason", async () => {
  const refusing: ServiceSchema = {
    name: "catalog",
    actions: {
      seed() {
        throw new Refusal("VALIDATION_ERROR", { status: 422, field: "sku", message: "must match format" });
      },
    },
  };
  const lines: string[] = [];
  const broker = await start([accounts, inventory, refusing, seed], {}, (...line) => lines.push(line.join(" ")));
  await filled(broker);
  expect(lines).toEqual([expect.stringMatching(/VALIDATION_ERROR.*"sku".*must match format/)]);
  expect((broker.getLocalService("seed") as unknown as { filled: boolean }).filled).toBe(false);
});

test("SEED=off leaves the shop empty, but for the administrator that ADMIN_PASSWORD is for", async () => {
  const broker = await start([accounts, catalog, inventory, seed], { SEED: "off" });
  await filled(broker);
  expect((await typedCall(broker)("catalog.list", {})).total).toBe(0);
  expect((await typedCall(broker)("accounts.login", ADMIN)).user.roles).toContain("admin");
});
