// Mails about orders, from the whole shop: it is killed between the mail server's yes and its own note.
import { once } from "node:events";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { header, mailServer, type MailServer } from "../../../mixins/mail/mail-server.fixture.ts";
import { change } from "../../../mixins/operations/doctor/examined.fixture.ts";
import { until } from "../../../mixins/testing/index.ts";
import { newDatabases, type Databases } from "../../../mixins/testing/servers.ts";
import { orderOf, Shop } from "../support/shop.ts";

let databases: Databases;
let server: MailServer;
let shop: Shop;
/** Subject of the mail at which the shop is killed, once. */
let killsAt: string | undefined;
beforeEach(async () => {
  databases = await newDatabases();
  server = await mailServer({
    taken: () => {
      if (killsAt === undefined || !server.got.at(-1)!.text.includes(killsAt)) return;
      killsAt = undefined;
      shop.child.process.kill("SIGKILL");
    },
  });
  shop = await Shop.start({ ...databases.env, ...server.env, LOGLEVEL: "info" });
});
afterEach(async () => {
  await shop?.stop();
  await server.stop();
  await databases.remove();
});

const mails = (what: string) => server.got.filter(({ text }) => header(text, "Subject")?.includes(what));
const rows = (sql: string) => change(databases.env, "notifications", sql);

test("a shop that is killed after the server's yes sends that mail once more, under the same Message-ID, and the others once", async () => {
  const token = await shop.customer("ada");
  const [verification] = await until(
    () => mails("Verify"),
    found => found.length === 1,
  );
  const [, code] = /^([\w-]{43})$/m.exec(verification!.text)!;
  expect((await shop.request("POST", "/api/v1/auth/email/verify", { body: { token: code } })).status).toBeLessThan(300);
  const products = await shop.request("GET", "/api/v1/products?pageSize=1");
  const body = orderOf([{ productId: products.body.rows[0].id, quantity: 1 }]);

  killsAt = "is placed";
  const died = once(shop.child.process, "exit");
  const { body: order } = await shop.request("POST", "/api/v1/orders", { token, body });
  await died;
  const output = shop.child.output;
  expect(await rows("select kind, sent_at, failed_at from mails where kind = 'order.placed'")).toEqual([
    { kind: "order.placed", sent_at: null, failed_at: null },
  ]);
  // Its half minute ends.
  await rows("update mails set next_at = 0 where next_at is not null");
  await shop.start();
  await until("all are noted as sent", async () => {
    const all = await rows("select sent_at from mails");
    return all.length === 2 && all.every(({ sent_at }: any) => sent_at !== null);
  });
  const [placed, twin, ...more] = mails(`Your order ${order.id} is placed`);
  expect(header(twin!.text, "Message-ID")).toBe(header(placed!.text, "Message-ID"));
  expect([more, mails("is on its way").length]).toEqual([[], 1]);
  expect(output + shop.child.output).not.toContain("ada@example.org");
});
