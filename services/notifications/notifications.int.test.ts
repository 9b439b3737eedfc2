// Orders and accounts on real databases, mails to a real mail server.
import { afterAll, beforeAll, beforeEach, expect, jest, test } from "@jest/globals";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Service, ServiceBroker, ServiceSchema } from "moleculer";
import { typedCall, type Call } from "@valence/runtime/contract";
import type { Database } from "@valence/runtime/database";
import { idFrom, minutes, newId, rfc3339 } from "@valence/runtime/kernel";
import type { MailLoop } from "@valence/runtime/mail";
import { until } from "@valence/runtime/testing";
import { newBrokers, type TestBrokers } from "@valence/runtime/testing/broker";
import { header, mailServer, refusal, type MailServer } from "../../mixins/mail/mail-server.fixture.ts";
import accounts from "../accounts/accounts.service.ts";
import catalog from "../catalog/catalog.service.ts";
import { seedProducts } from "../catalog/products.seed.ts";
import orders from "../orders/orders.service.ts";
import notifications from "./notifications.service.ts";

const ADA = { email: "ada@example.com", password: "correct horse battery", name: "Ada <b>Lovelace</b>" };
const ADDRESS = { name: "Ada", line1: "1 Main St", city: "London", postalCode: "N1", country: "GB" };

let brokers: TestBrokers;
let server: MailServer;
let broker: ServiceBroker;
let call: Call;
let productId: string;
/** A customer whose address is verified, once it is. */
let customer: string;
/** Lines of the log. */
let told: string[] = [];
/** The answer of the mail server to a recipient; 250 takes the mail. */
let answer: number;

beforeAll(async () => {
  server = await mailServer({
    onRcptTo: ({ address }, _session, done) =>
      done(answer === 250 ? null : refusal(answer, `<${address}> is not known here`)),
  });
  brokers = await newBrokers({ ...server.env, SEED: "off" });
  await start();
  await call("catalog.seed", { products: seedProducts.slice(0, 1) });
  productId = (await call("catalog.list", {})).rows[0]!.id;
  ({ id: customer } = await call("accounts.register", ADA));
});
beforeEach(async () => {
  answer = 250;
  await verify();
});
afterAll(async () => {
  await brokers.stop();
  await server.stop();
});

async function start(): Promise<void> {
  told = [];
  const listening: ServiceSchema = {
    ...notifications,
    created(this: Service) {
      const keep = jest.fn((line: unknown) => void told.push(String(line)));
      Object.assign(this.logger, { info: keep, warn: keep });
    },
  };
  broker = await brokers.start(accounts, catalog, orders, listening);
  call = typedCall(broker);
}
const own = () => broker.getLocalService("notifications") as unknown as { database: Database; mails: MailLoop };
const rowsOf = (id: string) => own().database.knex("mails").where({ order_id: id });
const accountRow = () =>
  (broker.getLocalService("accounts") as unknown as { database: Database }).database
    .knex("users")
    .where({ id: customer });
const verify = () => accountRow().update({ email_verified_at: rfc3339(Date.now()) });
/** Every mail that waits is due. */
async function due(): Promise<void> {
  await own().database.knex("mails").whereNotNull("next_at").update({ next_at: 0 });
  own().mails.wake();
}
const mailsAbout = (id: string) =>
  server.got.filter(({ text }) => header(text, "Subject")?.startsWith(`Your order ${id} `));

async function place(): Promise<string> {
  const id = newId();
  await call("orders.place", {
    id,
    customer,
    lines: [{ productId, quantity: 2 }],
    shippingAddress: ADDRESS,
    payment: { method: "card", token: "tok_ok" },
  });
  return id;
}

test("a customer gets a mail when an order is placed, shipped, rejected or cancelled: one each, with the event's Message-ID", async () => {
  const [shipped, rejected, cancelled] = [await place(), await place(), await place()];
  await call("orders.markReserved", { id: shipped });
  await call("orders.markPaid", { id: shipped, paymentId: "p1" });
  await call("orders.confirm", { id: shipped });
  await call("orders.markShipped", { id: shipped, trackingId: "track-1" });
  await call("orders.rejectFor", { id: rejected, reason: "PAYMENT_DECLINED", outOfStock: [] });
  await call("orders.cancel", { id: cancelled });
  for (const [id, becomes, kind, version] of [
    [shipped, "is on its way", "shipped", 5],
    [rejected, "cannot be delivered", "rejected", 2],
    [cancelled, "is cancelled", "cancelled", 2],
  ] as const) {
    await until("both are noted as sent", async () => (await rowsOf(id).whereNotNull("sent_at")).length === 2);
    const idOf = (kind: string, version: number) =>
      `<${idFrom("mail", `order.${kind}`, `order.${id}@${version}`)}@library.example>`;
    const got = mailsAbout(id).map(({ to, text }) =>
      [...to, header(text, "Subject"), header(text, "Message-ID")].join(" "),
    );
    expect(got.toSorted()).toEqual(
      [
        `${ADA.email} Your order ${id} is placed ${idOf("placed", 1)}`,
        `${ADA.email} Your order ${id} ${becomes} ${idOf(kind, version)}`,
      ].toSorted(),
    );
  }
  // The name is text in both parts, and neither the rows nor the log have anything personal.
  const text = mailsAbout(shipped)[0]!.text.replaceAll("=\n", "");
  expect(text).toContain("Hello Ada <b>Lovelace</b>,");
  expect(text).toContain("<p>Hello Ada &#60;b&#62;Lovelace&#60;/b&#62;,</p>");
  expect(JSON.stringify([await rowsOf(shipped), told])).not.toMatch(/ada@|Lovelace|Main St/);
});

test("an event that is read again, as after a crash, has one mail", async () => {
  const id = await place();
  await until("it is sent", async () => (await rowsOf(id).whereNotNull("sent_at")).length === 1);
  const event = { event: `order.${id}@1`, kind: "order.placed", orderId: id, at: rfc3339(Date.now()) } as const;
  expect(await call("notifications.record", event)).toEqual({ recorded: true });
  await own().mails.turn();
  expect([(await rowsOf(id)).length, mailsAbout(id).length]).toEqual([1, 1]);
});

test("an address that is not verified gets no mail until it is", async () => {
  await accountRow().update({ email_verified_at: null });
  const id = await place();
  const reason = "the customer has not verified their address";
  await until("it is held", async () => (await rowsOf(id))[0]?.reason === reason);
  expect(told.at(-1)).toMatch(new RegExp(`^mail [\\w-]+ \\(order.placed\\) waits: ${reason}$`));
  expect(mailsAbout(id)).toEqual([]);
  await verify();
  await due();
  await until("it arrives", () => mailsAbout(id).length === 1);
});

test("a rejected address is noted, and not asked for again", async () => {
  answer = 550;
  const id = await place();
  const [row] = await until(
    () => rowsOf(id),
    ([row]) => row?.failed_at != null,
  );
  expect(row).toMatchObject({ attempts: 1, next_at: null, reason: expect.stringContaining("550") });
  expect(row.reason).not.toContain(ADA.email);
});

test("while the mail server or the accounts are away mails wait, and none is lost", async () => {
  await server.stop();
  const id = await place();
  await until("it was tried", async () => (await rowsOf(id))[0]?.reason != null);
  await broker.destroyService("accounts");
  server = await mailServer(
    { onRcptTo: (_address, _session, done) => done(answer === 250 ? null : refusal(answer, "later")) },
    server.port,
  );
  await due();
  await until("the accounts are missed", () => told.some(line => /^mails wait: .*accounts\.get/.test(line)));
  broker.createService(accounts);
  await broker.waitForServices("accounts");
  await due();
  await until("it arrives", () => mailsAbout(id).length === 1);
});

test("a customer who has no address, or whose account is gone, is skipped, and the row says so", async () => {
  answer = 451;
  const account = await accountRow().first();
  for (const [reason, change] of [
    ["the customer has no address", () => accountRow().update({ email: "someone@nowhere.invalid" })],
    ["the customer's account is gone", () => accountRow().delete()],
  ] as const) {
    const id = await place();
    await until("it waits", async () => (await rowsOf(id))[0]?.reason?.includes("451"));
    await change();
    await due();
    const [row] = await until(
      () => rowsOf(id),
      ([row]) => row.failed_at !== null,
    );
    expect(row).toMatchObject({ reason, next_at: null, sent_at: null });
    expect(told.at(-1)).toMatch(new RegExp(`is not sent: ${reason}$`));
    await accountRow().delete();
    await accountRow().insert(account);
  }
});

test("events of before the first start have no mail, nor have those of a month ago; the moment stays that of the first start", async () => {
  const id = await place();
  const record = (version: number, agoMs: number) =>
    call("notifications.record", {
      event: `order.${id}@${version}`,
      kind: "order.cancelled",
      orderId: id,
      at: rfc3339(Date.now() - agoMs),
    });
  expect(await record(2, minutes(60))).toEqual({ recorded: false });
  expect(told).toContainEqual(expect.stringMatching(/^first start: orders have mails from \S+Z on$/));
  await own().database.knex("first_start").update({ since: 0 });
  await broker.stop();

  // Without a server from here on: each mail is a file, and the log tells where.
  for (const name of ["SMTP_URL", "MAIL_FROM"]) delete brokers.variables[name];
  brokers.variables["MAIL_UNVERIFIED"] = "on";
  await start();
  expect(told.filter(line => line.startsWith("first start"))).toEqual([]);
  expect(await record(3, minutes(31 * 24 * 60))).toEqual({ recorded: false });
  await accountRow().update({ email_verified_at: null });
  expect(await record(4, minutes(60))).toEqual({ recorded: true });
  const line = await until("it is told", () => told.find(line => / is the file /.test(line)));
  const [, file] = /^mail [\w-]+ \(order\.cancelled\) is the file (\S+\.eml)$/.exec(line)!;
  expect(file).toContain(join(brokers.databases.folder, "mail"));
  const text = await readFile(file!, "utf8");
  expect(header(text, "Subject")).toBe(`Your order ${id} is cancelled`);
  // Where the address is not verified, a mail that is wanted nevertheless has no words of the person.
  expect(text).toContain("\nHello,\n");
  expect(text).not.toContain("Lovelace");
});
