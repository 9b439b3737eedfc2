// A program in another language reads the shop's orders from Kafka. It knows the topic and /asyncapi.json, and no code of ours.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileSchema } from "@valence/runtime/contract";
import { until } from "@valence/runtime/testing";
import { Kafka, newDatabases, type Databases } from "@valence/runtime/testing/servers";
import { has } from "../clients/workbench.ts";
import { ADDRESS, orderOf, Shop } from "../support/shop.ts";

const EXAMPLE = join(import.meta.dirname, "../../../examples/read-events");
/** Milliseconds of an installation from PyPI. */
const INSTALL_MS = 300_000;
const ADMIN = { email: "root@example.org", password: "correct horse battery" };
const isAsked = process.env["KAFKA"] === "all" && has("python3", "-m", "venv", "--help");
// It installs a program in Python from PyPI, so it is left out of an ordinary run.
const tryIt = isAsked ? test : test.skip;

let folder: string;
let kafka: Kafka;
let databases: Databases;
let shop: Shop;
const run = (command: string, ...args: string[]): string => {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8", timeout: INSTALL_MS });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${status}\n${stdout}${stderr}`);
  return stdout;
};
const python = (program: string): string => join(folder, "python/bin", program);

beforeAll(async () => {
  if (!isAsked) return;
  folder = mkdtempSync(join(tmpdir(), "read-events-"));
  run("python3", "-m", "venv", join(folder, "python"));
  run(python("pip"), "install", "--quiet", "-r", join(EXAMPLE, "requirements.txt"));
  kafka = await Kafka.start();
  databases = await newDatabases();
  shop = await Shop.start({
    ...databases.env,
    CARRIER: "kafka",
    KAFKA_BROKERS: kafka.servers,
    NAMESPACE: "shop",
    ADMIN_EMAIL: ADMIN.email,
    ADMIN_PASSWORD: ADMIN.password,
  });
}, INSTALL_MS);
afterAll(async () => {
  await shop?.stop();
  await databases?.remove();
  await kafka?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

tryIt(
  "a Python program reads an order from its topic, by the description, and nothing secret or personal of it",
  async () => {
    const token = await shop.customer("clara");
    const { body: products } = await shop.request("GET", "/api/v1/products");
    const order = orderOf([{ productId: products.rows[0].id, quantity: 1 }]);
    const { status, body: placed } = await shop.request("POST", "/api/v1/orders", { body: order, token });
    expect([status, placed.id]).toEqual([201, expect.any(String)]);
    const { version } = await until(
      async () => (await shop.request("GET", `/api/v1/orders/${placed.id}`, { token })).body,
      ({ status: state }) => state === "shipped",
    );

    const { body: description } = await shop.request("GET", "/asyncapi.json");
    const { address, messages } = description.channels.orders;
    expect(address).toBe("shop.orders");
    const output = run(
      python("python"),
      join(EXAMPLE, "read_events.py"),
      kafka.servers,
      address,
      `events.max=${version}`,
    );
    const events = output
      .trim()
      .split("\n")
      .map(line => JSON.parse(line));
    expect(events.map(({ id }) => id)).toEqual(events.map((_, i) => `order.${placed.id}@${i + 1}`));
    expect(events[0]).toMatchObject({ type: "order.placed.v1", source: "/shop/orders", data: { total: placed.total } });
    expect(events.at(-1).type).toBe("order.shipped.v1");
    expect(events[0].data.shippingAddress).toEqual({ country: ADDRESS.country });
    for (const kept of ["tok_ok", ADDRESS.line1]) expect(output).not.toContain(kept);
    for (const { type, data } of events) {
      expect(Object.keys(messages)).toContain(type);
      const { payload } = description.components.messages[type];
      expect([type, compileSchema(inlined(payload, description.components.schemas))(data)]).toEqual([type, true]);
    }
  },
  120_000,
);

/** The schema with every reference replaced. */
function inlined(schema: any, schemas: Readonly<Record<string, object>>): any {
  if (Array.isArray(schema)) return schema.map(item => inlined(item, schemas));
  if (typeof schema !== "object" || schema === null) return schema;
  if (typeof schema.$ref === "string") return inlined(schemas[schema.$ref.split("/").at(-1)], schemas);
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, inlined(value, schemas)]));
}
