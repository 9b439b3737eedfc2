// Public events from a log to webhooks, with a real database and a real receiver. Waits of minutes are ended by hand: rows are
// made due.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { ServiceBroker } from "moleculer";
import { until } from "../../testing/index.ts";
import { metricOf, newBrokers, type TestBrokers } from "../../testing/broker.ts";
import { dependencyReports, settledWithin } from "../../kernel/index.ts";
import { consumersOf } from "../siblings.ts";
import type { Source } from "../log/source.fixture.ts";
import { desk, newSource, PUBLIC } from "./house.fixture.ts";
import { limits } from "./limits.ts";
import { outboundMetrics } from "./metrics.ts";
import { sendingOf } from "./sending.ts";
import { Receiver, type Got } from "./receiver.fixture.ts";
import { signatureOf } from "./signature.ts";

let brokers: TestBrokers;
let broker: ServiceBroker;
let source: Source;
let receiver: Receiver;
beforeAll(async () => {
  brokers = await newBrokers({ WEBHOOK_NETWORKS: "127.0.0.0/8" });
  source = newSource();
  broker = await brokers.start(source.schema(), desk());
});
afterAll(() => brokers.stop());
beforeEach(async () => void (receiver = await Receiver.start()));
afterEach(async () => {
  for (const { id } of (await call("webhooks")).webhooks) await call("removeWebhook", { id });
  await receiver.stop();
});

const call = <R = any>(action: string, params: object = {}): Promise<R> => broker.call(`desk.${action}`, params);
const add = (path: string) => call("addWebhook", { url: receiver.url + path, events: [PUBLIC] });
const webhook = async (id: string) => (await call("webhooks")).webhooks.find((one: { id: string }) => one.id === id);
const deliveriesOf = async (id: string) => (await call("webhookDeliveries", { webhook: id })).deliveries;
const sending = () => sendingOf(broker.getLocalService("desk"));
let ended = 0;
/** An event of which a public one is made. */
const end = (loan: string, data: object = { n: ++ended }) => source.append(loan, "loan.ended", data);

/** Everything that waits is due, and nothing is held. */
async function due(): Promise<void> {
  const { database, sender } = await sending();
  await database.knex("webhooks").update({ held_until: null });
  await database.knex("webhook_deliveries").whereNotNull("next_at").update({ next_at: 0 });
  sender.wake();
}
const settled = (id: string, count: number, state = "delivered") =>
  until<any[]>(
    () => deliveriesOf(id),
    all => all.filter(one => one.state === state).length === count,
  );
const bodyOf = ({ body }: Got) => JSON.parse(body);
const answering = (...statuses: number[]) => {
  receiver.answer = (_got, response) => void response.writeHead(statuses.shift() ?? 204).end();
};

test("an event goes to each webhook that wants it, signed, and once though it is read again", async () => {
  const [first, second] = [await add("/a"), await add("/b")];
  source.append("7", "loan.made");
  end("7", { n: 1 });
  end("8", { secret: true });
  await Promise.all([settled(first.id, 1), settled(second.id, 1)]);
  const [got] = receiver.at("/a");
  expect(bodyOf(got!)).toMatchObject({
    specversion: "1.0",
    type: `${PUBLIC}.v1`,
    source: "/desk",
    subject: "loan.7",
    data: { loan: "7", n: 1 },
  });
  const { "webhook-id": id, "webhook-timestamp": seconds, "webhook-signature": signature } = got!.headers as any;
  expect(id).toBe(bodyOf(got!).id);
  expect(Math.abs(Number(seconds) - Date.now() / 1_000)).toBeLessThan(60);
  const signed = { id, seconds: Number(seconds), body: got!.body };
  expect(signature).toBe(signatureOf(signed, first.secret));
  expect(receiver.at("/b")[0]!.headers["webhook-signature"]).toBe(signatureOf(signed, second.secret));
  expect(got!.headers["content-type"]).toBe("application/cloudevents+json");
  expect((await deliveriesOf(first.id))[0]).toMatchObject({ type: PUBLIC, attempts: 1, status: 204, event: id });
  // The consumer's place was lost: its events are known.
  const { database } = await sending();
  await database.knex("checkpoints").delete();
  await database.knex("consumer_versions").delete();
  end("9");
  await Promise.all([settled(first.id, 2), settled(second.id, 2)]);
  expect(receiver.got.length).toBe(4);
});

test("an event that breaks the schema is a dead letter, and the others go on", async () => {
  const { id } = await add("/a");
  end("broken", { n: "one" });
  end("8");
  await settled(id, 1);
  const { database } = await sending();
  const [letter] = await until(
    () => database.knex("parked_streams"),
    rows => rows.length > 0,
  );
  expect(letter).toMatchObject({ actor_stream: "loan.broken", error: expect.stringContaining("OUTBOUND_MISFIT") });
});

test("a failed delivery is sent again under the same id, and counts as an attempt", async () => {
  answering(500, 404, 200);
  const { id } = await add("/a");
  end("7");
  for (const [attempts, status] of [
    [1, 500],
    [2, 404],
  ]) {
    const [row] = await until<any[]>(
      () => deliveriesOf(id),
      ([one]) => one?.status === status,
    );
    expect(row).toMatchObject({ state: "waiting", attempts, nextAt: expect.any(String) });
    await due();
  }
  const [row] = await settled(id, 1);
  expect(row).toMatchObject({ attempts: 3, status: 200 });
  expect(row.reason).toBeUndefined();
  expect(new Set(receiver.got.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
  expect(await webhook(id)).toMatchObject({ state: "active", failures: 0, lastSuccessAt: expect.any(String) });
});

test("a receiver that hangs, or is away, holds up neither the others nor its consumer", async () => {
  receiver.answer = ({ path }, response) => void (path === "/slow" || response.writeHead(204).end());
  const [slow, other] = [await add("/slow"), await add("/other")];
  const { id: away } = await call("addWebhook", { url: "http://127.0.0.1:9/", events: [PUBLIC] });
  for (let i = 0; i < 20; i++) end(`${i}`);
  await settled(other.id, 20);
  await until("the other is found to be away", async () => (await webhook(away)).failures > 0);
  expect(receiver.at("/slow").length).toBe(limits.perWebhook);
  expect(await deliveriesOf(slow.id)).toHaveLength(20);
  expect((await webhook(away)).heldUntil).toEqual(expect.any(String));
  // The first requests, and those that began before the first failure was noted.
  const tried = (await deliveriesOf(away)).filter(({ attempts }: { attempts: number }) => attempts > 0);
  expect(tried.length).toBeLessThanOrEqual(2 * limits.perWebhook);
  const consumers = await consumersOf(broker.getLocalService("desk"));
  expect(await consumers.status(PUBLIC)).toMatchObject({ lagEvents: 0 });
});

test("Retry-After holds the webhook", async () => {
  receiver.answer = (_got, response) => void response.writeHead(429, { "retry-after": "600" }).end();
  const { id } = await add("/a");
  end("7");
  await until("it is held", async () => (await webhook(id)).heldUntil !== undefined);
  const [row] = await deliveriesOf(id);
  for (const moment of [(await webhook(id)).heldUntil, row.nextAt])
    expect(Date.parse(moment) - Date.now()).toBeGreaterThan(590_000);
});

test("410 disables at once, and a person resumes and replays", async () => {
  answering(410);
  const since = new Date().toISOString();
  const { id } = await add("/a");
  end("7");
  await settled(id, 1, "given_up");
  await until("it is disabled", async () => (await webhook(id)).state === "disabled");
  expect(await webhook(id)).toMatchObject({ reason: "HTTP 410" });
  expect(await dependencyReports(broker, 2_000)).toContainEqual(
    expect.objectContaining({ kind: "webhooks", status: "warn", message: `webhook ${id} is disabled: HTTP 410` }),
  );
  expect(await metricOf(broker, outboundMetrics.disabled, { service: "desk" })).toBe(1);
  // Meanwhile nothing is noted for it.
  const { id: other } = await add("/b");
  end("8");
  await settled(other, 1);
  expect(await deliveriesOf(id)).toHaveLength(1);

  await call("resumeWebhook", { id });
  expect(await call("replayWebhook", { id, since, event: PUBLIC })).toEqual({ id, count: 2, isAll: true });
  await settled(id, 2);
  expect(receiver.at("/a").map(got => bodyOf(got).data.loan)).toEqual(["7", "7", "8"]);
});

test("a webhook that fails for days without a success is disabled, and what waits is kept", async () => {
  answering(500);
  const { id } = await add("/a");
  const { database } = await sending();
  const before = { failures: 9, failed_at: Date.now() - 1_000, failing_ms: limits.disableMs - 500 };
  await database.knex("webhooks").where({ id }).update(before);
  end("9");
  await until("it is disabled", async () => (await webhook(id)).state === "disabled");
  expect(await webhook(id)).toMatchObject({ reason: "HTTP 500", failures: 10 });
  expect(await deliveriesOf(id)).toMatchObject([{ state: "waiting", status: 500 }]);
});

test("a delivery that is too old is given up, and one is replayed by its id", async () => {
  answering(500, 500);
  const { id } = await add("/a");
  end("7");
  const [row] = await until<any[]>(
    () => deliveriesOf(id),
    ([one]) => one?.status === 500,
  );
  const { database } = await sending();
  await database.knex("webhook_deliveries").update({ queued_at: Date.now() - limits.lifeMs });
  await due();
  await settled(id, 1, "given_up");
  expect(await call("replayWebhook", { id, delivery: row.id })).toEqual({ id, count: 1, isAll: true });
  const [again] = await settled(id, 1);
  expect(again).toMatchObject({ id: row.id, attempts: 1 });
  expect(new Set(receiver.got.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
});

test("an event is not kept that no webhook is for", async () => {
  const { database } = await sending();
  const kept = async () => Number((await database.knex("public_events").count({ n: "*" }))[0]!["n"]);
  const before = await kept();
  end("unwanted");
  const consumers = await consumersOf(broker.getLocalService("desk"));
  await until("it is read", async () => (await consumers.status(PUBLIC)).lagEvents === 0);
  expect(await kept()).toBe(before);
});

test("a paused webhook gets its events when it is resumed; one that is removed gets none", async () => {
  const [paused, removed] = [await add("/a"), await add("/b")];
  await call("pauseWebhook", { id: paused.id });
  await call("removeWebhook", { id: removed.id });
  end("7");
  await until("it is noted", async () => (await deliveriesOf(paused.id)).length === 1);
  expect(receiver.got).toEqual([]);
  await call("resumeWebhook", { id: paused.id });
  await settled(paused.id, 1);
  expect(receiver.at("/b")).toEqual([]);
});

test("a webhook that is removed while its events are sent again keeps no delivery", async () => {
  const { id } = await add("/a");
  end("9");
  await settled(id, 1);
  const { database } = await sending();
  let replaying: Promise<any> | undefined;
  await database.transaction(async trx => {
    await trx("webhooks").where({ id }).delete();
    await trx("webhook_deliveries").where({ webhook: id }).delete();
    replaying = call("replayWebhook", { id, since: "2020-01-01T00:00:00Z" }).catch((error: unknown) => error);
    // It waits for this transaction. One that did not would have queued them by then.
    await settledWithin([replaying], 200);
  });
  expect(await replaying).toMatchObject({ type: "WEBHOOK_NOT_FOUND" });
  expect(await database.knex("webhook_deliveries").where({ webhook: id })).toEqual([]);
});

test("a new secret signs beside the old one for a day, and neither is shown again", async () => {
  const { id, secret } = await add("/a");
  const { secret: second } = await call("rotateWebhook", { id });
  expect(await call("testWebhook", { id })).toEqual({ id, isDelivered: true, status: 204, ms: expect.any(Number) });
  const [{ headers, body }] = receiver.got as [Got];
  const signed = { id: headers["webhook-id"] as string, seconds: Number(headers["webhook-timestamp"]), body };
  expect(headers["webhook-signature"]).toBe([second, secret].map(one => signatureOf(signed, one)).join(" "));
  expect(JSON.parse(body)).toMatchObject({ type: "webhook.test.v1", data: {} });
  const { database } = await sending();
  await database.knex("webhooks").update({ old_secret_until: 0 });
  await call("testWebhook", { id });
  expect((receiver.got[1]!.headers["webhook-signature"] as string).split(" ")).toHaveLength(1);
  expect(JSON.stringify([await call("webhooks"), await deliveriesOf(id)])).not.toMatch(/whsec_|secret/i);
  expect(JSON.stringify(await call("pauseWebhook", { id }))).not.toContain("whsec_");
});

test("two that replace a secret at once both get one that signs", async () => {
  const { id } = await add("/a");
  const made = await Promise.all([call("rotateWebhook", { id }), call("rotateWebhook", { id })]);
  const { secrets } = await (await sending()).webhooks.target(id);
  expect(new Set(secrets)).toEqual(new Set(made.map(({ secret }) => secret)));
});

test("no API key makes a webhook or gets a secret, whatever its scopes", async () => {
  const { id } = await add("/a");
  const meta = { user: { id: "u1", roles: ["admin"], scopes: ["operations:*"] } };
  for (const [action, params] of [
    ["addWebhook", { url: `${receiver.url}/b`, events: [PUBLIC] }],
    ["rotateWebhook", { id }],
  ] as const)
    await expect(broker.call(`desk.${action}`, params, { meta })).rejects.toMatchObject({ type: "FORBIDDEN" });
});

test("a webhook is refused at what is no public address by https, nor in an allowed network", async () => {
  for (const url of [
    "desk",
    "ftp://desk.example/",
    "http://93.184.216.34/",
    "https://10.0.0.1/",
    "https://0x0a000001/",
    "https://[::ffff:169.254.169.254]/",
    "https://ann:sesame@desk.example/",
    `https://desk.example/${"😀".repeat(500)}`,
  ])
    await expect(call("addWebhook", { url, events: [PUBLIC] })).rejects.toMatchObject({ code: 422 });
});

test("a webhook is refused for an event that there is not, and an operation for a webhook that there is not", async () => {
  const url = `${receiver.url}/a`;
  await expect(call("addWebhook", { url, events: ["library.gone"] })).rejects.toThrow(
    /library.gone: there are library/,
  );
  for (const action of ["pauseWebhook", "resumeWebhook", "removeWebhook", "rotateWebhook", "testWebhook"])
    await expect(call(action, { id: "none" })).rejects.toMatchObject({ type: "WEBHOOK_NOT_FOUND", code: 404 });
  const { id } = await add("/a");
  await expect(call("replayWebhook", { id })).rejects.toMatchObject({ code: 422 });
  await expect(call("replayWebhook", { id, delivery: "none" })).rejects.toMatchObject({ type: "DELIVERY_NOT_FOUND" });
  expect(await deliveriesOf(id)).toEqual([]);
});

test("what is older than thirty days is forgotten, and not sent when it is read again", async () => {
  const { id } = await add("/a");
  end("7");
  await settled(id, 1);
  const { database, deliveries } = await sending();
  await deliveries.forgetOld((await database.now()) + limits.keptMs + 60_000);
  expect(await database.knex("public_events")).toEqual([]);
  expect(await deliveriesOf(id)).toEqual([]);
  const old = end("8");
  Object.assign(old, { at: new Date(Date.now() - limits.keptMs - 60_000).toISOString() });
  end("9");
  await settled(id, 1);
  expect(await database.knex("public_events")).toHaveLength(1);
});

test("a node that is killed after it has sent leaves a delivery that another one sends under the same id", async () => {
  const others = await newBrokers({ WEBHOOK_NETWORKS: "127.0.0.0/8" });
  const child = spawn(process.execPath, [join(import.meta.dirname, "crash.fixture.ts"), `${receiver.url}/a`], {
    env: { ...process.env, ...others.variables, NODE_OPTIONS: "", FAILPOINTS: "webhook:after-send=kill#1" },
    stdio: "ignore",
  });
  const [, signal] = await once(child, "exit");
  expect([signal, receiver.got.length]).toEqual(["SIGKILL", 1]);
  const next = await others.start(newSource().schema(), desk());
  const { database, deliveries, sender } = await sendingOf(next.getLocalService("desk"));
  expect((await deliveries.list({})).deliveries).toMatchObject([{ state: "waiting", attempts: 1 }]);
  // Its half minute ends.
  await database.knex("webhook_deliveries").update({ next_at: 0 });
  sender.wake();
  await until("it is delivered", async () => (await deliveries.list({ state: "delivered" })).deliveries.length === 1);
  const [first, second] = receiver.got as [Got, Got];
  expect([second.headers["webhook-id"], second.body]).toEqual([first.headers["webhook-id"], first.body]);
  await others.stop();
});
