// Who did what, as an operator finds out: over HTTP while the shop runs, and by `npx valence audit` on its database and on an
// export.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { until } from "@valence/runtime/testing";
import { newDatabases, type Databases } from "../../../mixins/testing/servers.ts";
import { orderOf, Shop } from "../support/shop.ts";

const ADMIN = { ADMIN_EMAIL: "boss@example.com", ADMIN_PASSWORD: "a good long password" };
let databases: Databases;
let shop: Shop;
let boss: string;

beforeAll(async () => {
  databases = await newDatabases();
  const anchor = join(databases.folder, "anchor.ndjson");
  shop = await Shop.start({ ...databases.env, ...ADMIN, AUDIT_ANCHOR: anchor, AUDIT_CHECKPOINT_SECONDS: "1" });
  boss = await shop.login(ADMIN.ADMIN_EMAIL, ADMIN.ADMIN_PASSWORD);
});
afterAll(async () => {
  await shop?.stop();
  await databases.remove();
});

/** Runs `npx valence audit` on the shop's databases. */
function audit(...args: string[]) {
  const env = { PATH: process.env["PATH"], ...shop.env };
  const options = { env, encoding: "utf8", timeout: 60_000 } as const;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["mixins/cli/valence.mjs", "audit", ...args], options);
  return { status, stdout, stderr };
}
const get = (path: string, token = boss) => shop.request("GET", `/api/v1/ops/audit${path}`, { token });
/** What the audit says of a subject, the oldest first, once the last type has been recorded. */
const recordsOf = (subject: string, last: string): Promise<any[]> =>
  until(
    async () => (await get(`?subject=${subject}`)).body.records.reverse(),
    records => records.some(({ type }: any) => type === last),
  );

test("an order, its customer's log-in and an operator's act are there with who, when and from which request", async () => {
  const ann = await shop.customer("ann");
  const { body: me } = await shop.request("GET", "/api/v1/me", { token: ann });
  const { body: products } = await shop.request("GET", "/api/v1/products?pageSize=1");
  const body = orderOf([{ productId: products.rows[0].id, quantity: 1 }]);
  const headers = { "Idempotency-Key": "audited", "X-Request-Id": "request-1" };
  const placed = await shop.request("POST", "/api/v1/orders", { token: ann, headers, body });
  const order = await recordsOf(`order.${placed.body.id}`, "order.confirmed");
  expect(order[0]).toMatchObject({ type: "order.placed", person: me.id, caller: "api", node: expect.any(String) });
  expect(order[0].requestId).toBe(placed.headers.get("x-request-id"));
  // The saga goes on by itself, and says so, and for whom, and since which request; so do the actors that it calls.
  const { person, requestId } = order[0];
  const confirmed = order.find(({ type }) => type === "order.confirmed");
  expect(confirmed).toMatchObject({
    person,
    requestId,
    caller: "checkout",
    commandId: expect.stringMatching(/^saga:/),
  });
  const { body: followed } = await get(`?actor=payment&person=${me.id}`);
  expect(followed.records[0]).toMatchObject({ type: expect.stringMatching(/^payment\./), requestId });
  expect(JSON.stringify(order)).not.toContain("tok_ok");

  const account = await recordsOf(`account.${me.id}`, "account.answered");
  expect(account.map(({ data: { action, outcome } }) => [action, outcome])).toEqual([
    ["register", "done"],
    ["login", "done"],
  ]);

  const { status } = await shop.request("POST", "/api/v1/ops/sagas/checkout.none/retry", { token: boss, body: {} });
  expect(status).toBe(404);
  const { body: acts } = await until(
    () => get("?actor=operation"),
    ({ body }) => body.records.length === 2,
  );
  expect(acts.records.map(({ type, data }: any) => [type, data.action, data.outcome, data.error])).toEqual([
    ["operation.answered", "retrySaga", "refused", "SAGA_NOT_FOUND"],
    ["operation.requested", "retrySaga", undefined, undefined],
  ]);
  expect((await get("", ann)).status).toBe(403);
});

test("it is verified over HTTP, by the command line, and on an export, where an edited line is named", async () => {
  await until(async () => {
    const { body } = await get("/status");
    return body.checkpoint !== undefined && body.unanchored === 0;
  });
  expect((await get("/verify")).body).toMatchObject({ state: "done", ok: true, faults: [] });
  expect(audit("verify")).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^ok +\d+ records in 4 partitions/),
  });
  const path = join(databases.folder, "export.ndjson");
  expect(audit("export", path)).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/export\.ndjson: \d+ records/),
  });
  const key = join(databases.folder, "key.pem");
  // The same over HTTP, which needs no way to the database.
  const download = await fetch(`${shop.url}/api/v1/ops/audit/export`, { headers: { authorization: `Bearer ${boss}` } });
  const downloaded = join(databases.folder, "downloaded.ndjson");
  await writeFile(downloaded, await download.text());
  await writeFile(key, audit("public-key").stdout);
  expect(audit("verify", path, "--public-key", key)).toMatchObject({ status: 0, stderr: "" });
  expect(audit("verify", downloaded, "--public-key", key)).toMatchObject({ status: 0, stderr: "" });
  const text = await readFile(path, "utf8");
  await writeFile(path, text.replace('"type":"order.placed"', '"type":"order.paid"'));
  const { status, stdout } = audit("verify", path);
  expect(status).toBe(1);
  expect(stdout).toMatch(/^FAIL +partition \d, record \d+ edited: its content is not what its hash was computed of/);
});
