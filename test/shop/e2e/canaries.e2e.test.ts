// Secrets that are marked go through the whole shop, which logs all that it can and traces all that it does: afterwards none of
// them is in what the process has written, sent to the collector, shown in its metrics, or kept in files in plain.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { AUDIENCE, startIssuer, type RunningIssuer } from "../../../mixins/accounts/oidc/issuer.fixture.ts";
import { mailServer, type MailServer } from "../../../mixins/mail/mail-server.fixture.ts";
import { until } from "../../../mixins/testing/index.ts";
import { Collector, newDatabases, type Databases } from "../../../mixins/testing/servers.ts";
import { orderOf, Shop } from "../support/shop.ts";

/** Marks, by what they are. Each is a valid value of its kind. */
const MARKS = {
  adminPassword: "c4n4ry-admin-Pass-1",
  password: "c4n4ry-first-Pass-2",
  newPassword: "c4n4ry-newer-Pass-3",
  mailedPassword: "c4n4ry-mailed-Pass-4",
  wrongPassword: "c4n4ry-wrong-Pass-5",
  metricsToken: "c4n4ry-metrics-token-6",
  smtpPassword: "c4n4ry-smtp-7",
  collectorKey: "c4n4ry-collector-8",
  query: "c4n4ry-query-9",
  header: "c4n4ry-header-10",
  body: "c4n4ry-body-11",
  /** Of a card that the provider does not know. */
  paymentToken: "tok_c4n4ry12",
  card: "4242424242424242",
} as const;
/** Personal data: addresses of mail, the name, and where the goods go. */
const PERSONAL = ["c4n4ry.ada", "c4n4ry.grace", "C4n4ry Lovelace", "13 C4n4ry Street", "+44 20 7946 0958"];
const EMAIL = "c4n4ry.ada@example.org";

let databases: Databases;
let collector: Collector;
let mails: MailServer;
let issuer: RunningIssuer;
let shop: Shop;
let output = "";
/** What the shop has made: tokens, keys, cookies, links in mails. */
const made: Record<string, string> = {};

beforeAll(async () => {
  [databases, collector, mails, issuer] = await Promise.all([
    newDatabases(),
    Collector.start(),
    mailServer({ onAuth: (_auth, _session, done) => done(null, { user: "shop" }) }),
    startIssuer({ grace: { email: "c4n4ry.grace@example.org", email_verified: true, name: "C4n4ry Lovelace" } }),
  ]);
  shop = await Shop.start({
    ...databases.env,
    ...mails.env,
    SMTP_URL: mails.env.SMTP_URL.replace("//", `//shop:${MARKS.smtpPassword}@`),
    LOGLEVEL: "trace",
    LOG_FORMAT: "json",
    ACCESS_LOG: "on",
    ADMIN_EMAIL: "root@example.com",
    ADMIN_PASSWORD: MARKS.adminPassword,
    METRICS_TOKEN: MARKS.metricsToken,
    OIDC_ISSUER: issuer.url,
    OIDC_AUDIENCE: AUDIENCE,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_HEADERS: `x-key=${MARKS.collectorKey}`,
    OTEL_BSP_SCHEDULE_DELAY: "50",
  });
}, 120_000);
afterAll(async () => {
  await shop?.stop();
  await Promise.all([collector.stop(), mails.stop(), issuer.stop()]);
  await databases.remove();
});

const api = (method: string, path: string, call: Parameters<Shop["request"]>[2] = {}) =>
  shop.request(method, `/api/v1${path}`, call);
const login = (password: string, email = EMAIL) => api("POST", "/auth/login", { body: { email, password } });

/** The code in the mail of this subject. */
async function mailedCode(subject: string): Promise<string> {
  const mail = await until(`the mail "${subject}"`, () =>
    mails.got.find(({ text }) => text.includes(`Subject: ${subject}`)),
  );
  return /^([\w-]{43})$/m.exec(mail.text)![1]!;
}

/** Everything that a person does with secrets, once; answers are checked, as what is refused early shows little. */
async function liveThroughAll(): Promise<void> {
  const account = { email: EMAIL, password: MARKS.password, name: "C4n4ry Lovelace" };
  expect((await api("POST", "/auth/register", { body: account })).status).toBe(201);
  expect((await login(MARKS.wrongPassword)).status).toBe(401);
  expect((await api("POST", "/auth/register", { body: account })).status).toBe(409);
  made["verification"] = await mailedCode("Verify");
  await api("POST", "/auth/email/verify", { body: { token: made["verification"] } });

  const first = (await login(MARKS.password)).body;
  made["refresh"] = first.refreshToken;
  const token = (made["access"] = first.accessToken);
  made["refreshed"] = (
    await api("POST", "/auth/refresh", { body: { refreshToken: first.refreshToken } })
  ).body.refreshToken;
  const key = await api("POST", "/me/keys", { token, body: { name: "till", scopes: ["orders:read"] } });
  expect(key.status).toBe(201);
  made["key"] = key.body.key;
  expect((await api("GET", "/orders", { headers: { "X-API-Key": key.body.key } })).status).toBe(200);
  const session = await api("POST", "/session", { body: { email: EMAIL, password: MARKS.password } });
  made["cookie"] = /=([^;]+)/.exec(session.headers.get("set-cookie") ?? "")![1]!;
  expect(
    (await api("GET", "/session", { headers: { cookie: session.headers.get("set-cookie")!.split(";")[0]! } })).status,
  ).toBe(200);
  made["oidc"] = await issuer.token("grace");
  expect((await api("GET", "/me", { token: made["oidc"] })).status).toBe(200);

  const { body: products } = await api("GET", "/products?pageSize=1");
  const lines = [{ productId: products.rows[0].id, quantity: 1 }];
  for (const [payment, end] of [
    ["tok_ok", "shipped"],
    [MARKS.paymentToken, "rejected"],
  ] as const) {
    const order = orderOf(lines, payment);
    const shippingAddress = { ...order.shippingAddress, name: "C4n4ry Lovelace", line1: "13 C4n4ry Street" };
    const headers = { "Idempotency-Key": `order-${end}` };
    const { status, body } = await api("POST", "/orders", { token, headers, body: { ...order, shippingAddress } });
    expect(status).toBe(201);
    await until(
      `the order is ${end}`,
      async () => (await api("GET", `/orders/${body.id}`, { token })).body.status === end,
    );
  }
  expect((await api("POST", "/orders", { token, body: orderOf(lines, MARKS.card) })).status).toBe(422);
  expect((await api("GET", `/products?q=${MARKS.query}&unknown=${MARKS.query}`)).status).toBe(200);
  expect(
    (await api("GET", "/me", { headers: { Authorization: `Bearer ${MARKS.header}`, "X-API-Key": MARKS.header } }))
      .status,
  ).toBe(401);
  expect(
    (await api("POST", "/auth/login", { body: { email: EMAIL, password: [MARKS.body], secret: MARKS.body } })).status,
  ).toBe(422);

  const change = { currentPassword: MARKS.password, newPassword: MARKS.newPassword };
  expect((await api("POST", "/me/password", { token, body: change })).status).toBeLessThan(300);
  await api("POST", "/auth/password/forgot", { body: { email: EMAIL } });
  made["reset"] = await mailedCode("Set a new password");
  const reset = { token: made["reset"], newPassword: MARKS.mailedPassword };
  expect((await api("POST", "/auth/password/reset", { body: reset })).status).toBeLessThan(300);
  expect((await login(MARKS.mailedPassword)).status).toBe(200);
}

/** The marks of `of` that the text shows, each with some of what is before it. */
const shownIn = (text: string, of: Record<string, string>): string[] =>
  Object.entries(of).flatMap(([name, secret]) => {
    const at = text.indexOf(secret);
    return at === -1 ? [] : [`${name}: ${text.slice(Math.max(0, at - 200), at)}…`];
  });

test("no secret and no personal data is in the log, a span, a metric, the audit, or a file", async () => {
  for (const stream of [shop.child.process.stdout!, shop.child.process.stderr!])
    stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  output = shop.child.output;
  await liveThroughAll();
  const metrics = await shop.request<string>("GET", "/metrics", { token: MARKS.metricsToken });
  expect(metrics.status).toBe(200);
  const { body: root } = await login(MARKS.adminPassword, "root@example.com");
  // All of it, as text: it is NDJSON, the orders with their addresses among it.
  const audited = async () =>
    (await shop.request<string>("GET", "/api/v1/ops/audit/export", { token: root.accessToken })).body;
  const audit = await until("the orders are recorded", async () => {
    const text = await audited();
    return text.includes('"order.shipped"') && text;
  });
  await until("spans have arrived", () => collector.spans.some(({ name }) => name === "saga step ship"));
  await shop.child.end("SIGTERM");

  const lines = output.split("\n").filter(line => line.startsWith("{"));
  expect(lines.length).toBeGreaterThan(500);
  const logged = lines.map(line => JSON.parse(line));
  const orderLine = logged.find(({ action, user, traceId }) => action === "orders.place" && user && traceId);
  expect(orderLine).toMatchObject({ requestId: expect.any(String), spanId: expect.any(String), service: "orders" });

  const secrets = { ...MARKS, ...made, ...Object.fromEntries(PERSONAL.map(text => [text, text])) };
  const found = {
    output: shownIn(output, secrets),
    spans: shownIn(JSON.stringify(collector.spans), secrets),
    metrics: shownIn(metrics.body, secrets),
    audit: shownIn(audit, secrets),
    // Databases have names, addresses and the tokens of payments: the shop needs them. Nobody needs the others.
    files: readdirSync(databases.folder, { recursive: true, encoding: "utf8" })
      .filter(name => /\.\w/.test(name))
      .flatMap(name => {
        const { paymentToken: _token, ...neverKept } = { ...MARKS, ...made };
        return shownIn(readFileSync(join(databases.folder, name), "latin1"), neverKept).map(text => `${name}: ${text}`);
      }),
  };
  expect(found).toEqual({ output: [], spans: [], metrics: [], audit: [], files: [] });
}, 120_000);
