import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { brokerOptions } from "../broker/index.ts";
import { readEnvironment, Refusal } from "../kernel/index.ts";
import { metersOf } from "../metrics/index.ts";
import { until } from "../testing/until.ts";
import { NodeDoctor } from "./doctor/node.ts";
import { tellFindings } from "./findings.ts";
import { operationsMetrics } from "./metrics.ts";
import { Operations } from "./operations.ts";
import { operationsTable } from "./table/table.ts";

const ops = Operations();

/** Actions and metadata as the mixins of two services have them. */
const internal = (handler: (ctx: any) => unknown) => ({
  visibility: "public" as const,
  permission: "operations:read",
  handler,
});
const saga = (name: string, ids: readonly string[]): ServiceSchema => ({
  name,
  metadata: { sagas: { [name]: true }, consumers: { [`${name}-starter`]: true } },
  actions: {
    sagas: internal(({ params: { limit, after = "" } }) => ({
      sagas: ids
        .filter(id => id > after)
        .slice(0, limit)
        .map(id => ({ id, startedAt: `2026-01-0${id.at(-1)}` })),
    })),
    saga: internal(ctx => {
      if (!ids.includes(ctx.params.id)) throw new Refusal("SAGA_NOT_FOUND");
      return { id: ctx.params.id, timeline: [{ data: { params: [{ token: "tok_secret" }] } }] };
    }),
    retrySaga: internal(ctx => {
      if (!ids.includes(ctx.params.id)) throw new Refusal("SAGA_NOT_FOUND");
      if (ctx.params.note === "early") throw new Refusal("SAGA_NOT_STUCK");
      return { id: ctx.params.id, note: ctx.params.note };
    }),
    deadLetters: internal(ctx => ({
      deadLetters: [{ id: `${name}:7`, after: ctx.params.after, event: { token: "tok_secret" } }],
    })),
    retryDeadLetter: internal(ctx => ({ id: ctx.params.id, retried: 1 })),
    retryDeadLetters: internal(ctx => ({
      retried: ctx.params.consumer === "none" ? [] : [{ consumer: `${name}-starter`, streams: 3, asked: ctx.params }],
    })),
    consumers: internal(() => ({
      consumers: ["mails", name].map(name => ({ name, state: "following", lagEvents: 0, lagMs: 0, parkedStreams: 0 })),
    })),
    resetConsumer: internal(ctx => ({ consumer: ctx.params.name, ...ctx.params })),
  },
});
const books: ServiceSchema = {
  name: "books",
  metadata: { actor: "book", projections: { shelf: 2 }, secrets: ["token"] },
  actions: {
    get: internal(({ params: { id, consistent } }) => ({
      id,
      version: id === "none" ? 0 : 150,
      state: { consistent, card: { token: "tok_secret" } },
    })),
    stateAt: internal(ctx => ({ id: ctx.params.id, version: ctx.params.version, state: {} })),
    history: internal(ctx => ({ id: ctx.params.id, events: [{ from: ctx.params.from, limit: ctx.params.limit }] })),
    // As a release answers that knows no pages.
    quarantined: internal(() => ({
      quarantined: [
        { id: "b2", reason: "torn", at: "2026-01-01T00:00:00.000Z" },
        { id: "b1", reason: "torn", at: "2026-01-02T00:00:00.000Z" },
      ],
    })),
    releaseQuarantine: internal(ctx => ({ id: ctx.params.id, released: true })),
    projections: internal(() => ({ projections: [{ name: "shelf", version: 2 }] })),
    rebuildProjection: internal(ctx => ({ name: ctx.params.name, started: true })),
  },
};

let broker: ServiceBroker;
let dataDir: string;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "ops-"));
  broker = new ServiceBroker({ ...brokerOptions(readEnvironment({ DATA_DIR: dataDir })), logger: false });
  // The doctor looks for the services of a folder; here it finds one of ours.
  await mkdir(join(dataDir, "services"));
  await writeFile(join(dataDir, "services", "ops.service.ts"), "");
  const doctor = NodeDoctor(join(dataDir, "services"));
  for (const schema of [saga("borrowing", ["saga-1", "saga-3"]), saga("returns", ["saga-2"]), books, ops, doctor])
    broker.createService(schema);
  await broker.start();
});
afterAll(async () => {
  await broker.stop();
  await rm(dataDir, { recursive: true, force: true });
});
const admin = { user: { id: "root", roles: ["admin"] } };
const ask = (action: string, params: object = {}, meta: object = admin) =>
  broker.call<any, object>(`ops.${action}`, params, { meta });

describe("a person who looks on", () => {
  const viewer = { user: { id: "vic", roles: ["viewer"] } };

  test.each(
    operationsTable.filter(({ permission }) => permission === "operations:write").map(({ action }) => [action]),
  )("may not do %s", async action => {
    const call = broker.call(action, {}, { meta: viewer });
    const message = `${action} asks for the permission operations:write`;
    await expect(call).rejects.toMatchObject({ code: 403, type: "FORBIDDEN", message });
  });

  test("sees what an administrator sees", async () => {
    expect(await ask("sagas", {}, viewer)).toEqual(await ask("sagas"));
    expect(await ask("overview", {}, viewer)).toMatchObject({ needs: expect.any(Array) });
  });
});

test("a process without other nodes has no circuits", async () => {
  expect(await ask("circuits")).toEqual({ circuits: [], silent: [] });
  await expect(ask("circuits", {}, { user: { id: "u", roles: ["reader"] } })).rejects.toMatchObject({ code: 403 });
});

test("the health of each node: what it depends on, with numbers, and no secrets", async () => {
  const { status, nodes, silent } = await ask("health");
  expect(silent).toEqual([]);
  const [{ node, dependencies }] = nodes;
  expect([status, nodes.length, node]).toEqual([nodes[0].status, 1, broker.nodeID]);
  const of = (kind: string) => dependencies.find((one: { kind: string }) => one.kind === kind);
  expect(of("database")).toMatchObject({
    name: "ops",
    status: "ok",
    message: expect.stringContaining(join(dataDir, "ops.sqlite")),
    figures: {
      latencyMs: expect.any(Number),
      used: expect.any(Number),
      waiting: 0,
      size: 4,
      walBytes: expect.any(Number),
    },
  });
  expect(of("disk").figures.freeBytes).toBeGreaterThan(0);
  expect(of("clock").figures.offsetMs).toBeLessThanOrEqual(of("clock").figures.errorMs);
  await expect(ask("health", {}, { user: { id: "u", roles: ["reader"] } })).rejects.toMatchObject({ code: 403 });
});

test("the doctor of the running system: each node's own view, in a thread of its own", async () => {
  // The examination for the metrics, on nobody's behalf, begins at the same time, and so is the same one.
  const endTelling = tellFindings(broker.getLocalService("ops"), { firstAfterMs: 0, everyMs: 60_000 });
  await metersOf(broker)!.families();
  const { counts, findings, left } = await ask("doctor", { all: true });
  expect(left).toBe(0);
  expect(counts.ok + counts.warn + counts.FAIL).toBe(findings.length);
  const of = (check: string) => findings.filter((one: { check: string }) => one.check === check);
  expect(of("quick_check")).toMatchObject([{ status: "ok", subject: "ops", nodes: [broker.nodeID] }]);
  expect(of("sharing")).toMatchObject([{ status: "ok", subject: "ops" }]);
  expect(of("skew")).toMatchObject([{ status: "ok", subject: `node ${broker.nodeID}` }]);
  expect(of("passwords")).toMatchObject([{ subject: `node ${broker.nodeID}` }]);
  expect(of("nodes")).toMatchObject([{ status: "ok" }]);
  // These services answer what no consumer is.
  expect(of("lag").map(({ subject }: { subject: string }) => subject)).toEqual(expect.arrayContaining(["borrowing"]));

  await until("the findings are told as metrics", async () => {
    const families = await metersOf(broker)!.families();
    return families.some(({ name }) => name === operationsMetrics.findings.name);
  });
  endTelling();

  const some = await ask("doctor");
  expect(some.findings.every(({ status }: { status: string }) => status !== "ok")).toBe(true);
  const one = await ask("doctor", { service: "ops", all: true });
  expect(one.findings.map(({ subject }: { subject: string }) => subject)).not.toContain("borrowing");
  await expect(ask("doctor", { service: "nobody" })).rejects.toMatchObject({ code: 422 });
  await expect(ask("doctor", {}, { user: { id: "u", roles: ["reader"] } })).rejects.toMatchObject({ code: 403 });
});

test("sagas of all services, oldest first, each with its service", async () => {
  const { state, sagas } = await ask("sagas");
  expect(state).toBe("open");
  expect(sagas.map(({ id, service }: any) => [id, service])).toEqual([
    ["saga-1", "borrowing"],
    ["saga-2", "returns"],
    ["saga-3", "borrowing"],
  ]);
  const newest = (await ask("sagas", { order: "newest" })).sagas.map(({ id }: any) => id);
  expect(newest).toEqual(["saga-3", "saga-2", "saga-1"]);
  expect((await ask("sagas", { limit: 1 })).sagas).toHaveLength(1);
  expect((await ask("sagas", { state: "completed" })).state).toBe("completed");
});

test("a service that does not answer is named, and the others' entries are shown", async () => {
  const away = broker.createService({
    name: "away",
    metadata: { sagas: { trip: true }, consumers: { trip: true } },
    actions: { retryDeadLetters: internal(() => Promise.reject(new Error("away"))) },
  });
  await broker.waitForServices("away");
  try {
    for (const list of ["sagas", "sagaCounts", "consumers", "deadLetters"])
      expect(await ask(list)).toMatchObject({ silent: expect.arrayContaining(["away"]) });
    expect((await ask("sagas")).sagas).toHaveLength(3);
    expect(await ask("retryDeadLetters")).toMatchObject({ streams: 6, silent: ["away"] });
  } finally {
    await broker.destroyService(away);
  }
});

test("a saga is found wherever it lives; the owner's refusal is the answer, an unknown one is not found", async () => {
  expect(await ask("saga", { id: "saga-2" })).toMatchObject({ id: "saga-2", service: "returns" });
  expect(await ask("retrySaga", { id: "saga-2", note: "now" })).toEqual({
    id: "saga-2",
    note: "now",
    service: "returns",
  });
  await expect(ask("retrySaga", { id: "saga-3", note: "early" })).rejects.toMatchObject({ type: "SAGA_NOT_STUCK" });
  await expect(ask("saga", { id: "saga-9" })).rejects.toMatchObject({ type: "SAGA_NOT_FOUND", code: 404 });
});

test("an actor by its type: now from the store, at a version, with its latest hundred events", async () => {
  const now = await ask("actor", { type: "book", id: "b1" });
  expect(now).toMatchObject({ version: 150, state: { consistent: true }, events: [{ from: 51, limit: 100 }] });
  const then = await ask("actor", { type: "book", id: "b1", version: 3 });
  expect(then).toMatchObject({ version: 3, events: [{ from: 1, limit: 3 }] });
  expect((await ask("actor", { type: "book", id: "b1", version: 0 })).events).toEqual([]);
  await expect(ask("actor", { type: "car", id: "b1" })).rejects.toMatchObject({ code: 404 });
});

test("an actor to which nothing ever happened is not found", () =>
  expect(ask("actor", { type: "book", id: "none" })).rejects.toMatchObject({ type: "ACTOR_NOT_FOUND", code: 404 }));

test("a field that a contract marks as secret is not shown, wherever it lies", async () => {
  for (const answer of [
    await ask("actor", { type: "book", id: "b1" }),
    await ask("saga", { id: "saga-2" }),
    await ask("deadLetters"),
  ]) {
    expect(JSON.stringify(answer)).toContain('"token":"…"');
    expect(JSON.stringify(answer)).not.toContain("tok_secret");
  }
});

test("a list that is narrowed to a service that is not there is refused by name", async () => {
  for (const [action, params, field] of [
    ["deadLetters", { service: "nope" }, "service"],
    ["sagas", { after: "zzzz" }, "after"],
  ] as const)
    await expect(ask(action, params)).rejects.toMatchObject({ code: 422, data: { errors: [{ field }] } });
});

test("sagas of all services come in pages, oldest first, and a cursor belongs to its list", async () => {
  const ids: string[] = [];
  let page = await ask("sagas", { limit: 1 });
  for (;;) {
    ids.push(...page.sagas.map(({ id, service }: { id: string; service: string }) => `${service} ${id}`));
    if (page.nextCursor === undefined) break;
    page = await ask("sagas", { limit: 1, cursor: page.nextCursor });
  }
  expect(ids).toEqual(["borrowing saga-1", "returns saga-2", "borrowing saga-3"]);
  const { nextCursor: cursor } = await ask("sagas", { limit: 1 });
  for (const [action, params, field] of [
    ["sagas", { cursor, state: "stuck" }, "cursor"],
    ["deadLetters", { cursor }, "cursor"],
    ["sagas", { cursor: Buffer.from('["open sagas","[[1]]"]').toString("base64url") }, "cursor"],
    ["sagas", { cursor: Buffer.from('["open sagas","{"]').toString("base64url") }, "cursor"],
    ["sagas", { cursor, after: "borrowing.x" }, "after"],
  ] as const)
    await expect(ask(action, params)).rejects.toMatchObject({ code: 422, data: { errors: [{ field }] } });
});

test("actors in quarantine with the reason, and their release by type", async () => {
  const [b2, b1] = (await ask("quarantined")).quarantined;
  expect([b2, b1.id]).toEqual([
    { id: "b2", type: "book", reason: "torn", at: expect.any(String), service: "books" },
    "b1",
  ]);
  expect(await ask("releaseQuarantine", { type: "book", id: "b2" })).toEqual({ id: "b2", released: true });
  await expect(ask("releaseQuarantine", { type: "car", id: "b2" })).rejects.toMatchObject({ code: 404 });
});

test("every list of operations comes in pages, and a cursor belongs to its list", async () => {
  const { nextCursor: foreign } = await ask("sagas", { limit: 1 });
  for (const list of ["nodes", "circuits", "quarantined", "consumers", "projections"]) {
    const all = (await ask(list))[list];
    const seen: unknown[] = [];
    for (let cursor: string | undefined; ;) {
      const page = await ask(list, { limit: 1, ...(cursor !== undefined && { cursor }) });
      expect(page[list].length).toBeLessThanOrEqual(1);
      seen.push(...page[list]);
      cursor = page.nextCursor;
      if (cursor === undefined) break;
    }
    const names = (entries: any[]) => entries.map(({ service, name, id }) => [service, name, id]);
    expect([list, names(seen)]).toEqual([list, names(all)]);
    await expect(ask(list, { cursor: foreign })).rejects.toMatchObject({ data: { errors: [{ field: "cursor" }] } });
  }
});

test("projections and their rebuild by name", async () => {
  expect((await ask("projections")).projections).toEqual([{ name: "shelf", version: 2, service: "books" }]);
  expect(await ask("rebuild", { name: "shelf" })).toEqual({ name: "shelf", started: true, service: "books" });
  for (const name of ["none", "constructor"])
    await expect(ask("rebuild", { name })).rejects.toMatchObject({ type: "PROJECTION_NOT_FOUND" });
});

test("a dead letter's id names its service and leads back to it", async () => {
  const { deadLetters } = await ask("deadLetters", { service: "returns", after: "returns:returns:3" });
  expect(deadLetters).toMatchObject([{ id: "returns:returns:7", after: "returns:3", service: "returns" }]);
  expect(await ask("retryDeadLetter", { id: deadLetters[0].id })).toMatchObject({ retried: 1, service: "returns" });
  expect((await ask("deadLetters")).deadLetters).toHaveLength(2);
  await expect(ask("deadLetters", { after: "returns:3" })).rejects.toMatchObject({ code: 422 });
  await expect(ask("retryDeadLetter", { id: "books:1" })).rejects.toMatchObject({ type: "DEAD_LETTER_NOT_FOUND" });
});

test("a group of parked streams goes back to work in all services, or in one", async () => {
  const group = { error: "TEAPOT", olderThanMinutes: 2.5 };
  const asked = { error: "TEAPOT", olderThanMs: 150_000 };
  expect(await ask("retryDeadLetters", group)).toEqual({
    streams: 6,
    silent: [],
    retried: ["borrowing", "returns"].map(service => ({
      service,
      consumer: `${service}-starter`,
      streams: 3,
      asked,
    })),
  });
  expect(await ask("retryDeadLetters", { service: "returns" })).toMatchObject({ streams: 3, retried: [{ asked: {} }] });
  expect(await ask("retryDeadLetters", { consumer: "none" })).toEqual({ streams: 0, retried: [], silent: [] });
  await expect(ask("retryDeadLetters", { service: "nope" })).rejects.toMatchObject({ code: 422 });
});

test("a service with a version is asked by its full name", async () => {
  const service = broker.createService({ ...saga("renewals", ["saga-4"]), version: 2 });
  await broker.waitForServices({ name: "renewals", version: 2 });
  expect(await ask("saga", { id: "saga-4" })).toMatchObject({ service: "v2.renewals" });
  const { deadLetters } = await ask("deadLetters", { service: "v2.renewals" });
  expect(await ask("retryDeadLetter", { id: deadLetters[0].id })).toMatchObject({ service: "v2.renewals", retried: 1 });
  await broker.destroyService(service);
});

test("a consumer that stands still is sent on by its name; where two have it, by the service's too", async () => {
  const { consumers } = await ask("consumers");
  expect(consumers).toHaveLength(4);
  expect(consumers).toContainEqual(expect.objectContaining({ name: "mails", service: "returns" }));
  expect(await ask("resetConsumer", { name: "returns", to: "start", dryRun: true })).toMatchObject({
    service: "returns",
    consumer: "returns",
    to: "start",
    dryRun: true,
  });
  const mails = { name: "mails", to: "head" };
  await expect(ask("resetConsumer", mails)).rejects.toMatchObject({ type: "CONSUMER_AMBIGUOUS", code: 422 });
  expect(await ask("resetConsumer", { ...mails, service: "borrowing" })).toMatchObject({ service: "borrowing" });
  await expect(ask("resetConsumer", { ...mails, name: "none" })).rejects.toMatchObject({ type: "CONSUMER_NOT_FOUND" });
});

test("an ingress is paused and resumed by its name, and only a message from outside is discarded", async () => {
  const answer = internal(({ action, params }) => ({ did: action.rawName, ...params }));
  const service = broker.createService({
    name: "printers",
    metadata: { ingresses: { deliveries: {} }, consumers: { deliveries: true } },
    actions: {
      ingresses: internal(() => ({ ingresses: [{ name: "deliveries", state: "following" }] })),
      pauseIngress: answer,
      resumeIngress: answer,
      discardDeadLetter: answer,
    },
  });
  await broker.waitForServices("printers");
  expect((await ask("ingresses")).ingresses).toEqual([{ name: "deliveries", state: "following", service: "printers" }]);
  const named = { name: "deliveries", service: "printers" };
  expect(await ask("pauseIngress", { name: "deliveries", note: "rubbish" })).toEqual({
    ...named,
    did: "pauseIngress",
    note: "rubbish",
  });
  expect(await ask("resumeIngress", named)).toEqual({ ...named, did: "resumeIngress" });
  for (const wrong of [{ name: "none" }, { ...named, service: "returns" }])
    await expect(ask("pauseIngress", wrong)).rejects.toMatchObject({ type: "INGRESS_NOT_FOUND", code: 404 });
  expect(await ask("discardDeadLetter", { id: "printers:7" })).toEqual({
    did: "discardDeadLetter",
    id: "printers:7",
    service: "printers",
  });
  await expect(ask("discardDeadLetter", { id: "returns:7" })).rejects.toMatchObject({ type: "DEAD_LETTER_OF_LOG" });
  await expect(ask("discardDeadLetter", { id: "nope:7" })).rejects.toMatchObject({ type: "DEAD_LETTER_NOT_FOUND" });
  await broker.destroyService(service);
});

test("nodes with their services", async () => {
  const { nodes } = await ask("nodes");
  expect(nodes).toHaveLength(1);
  expect(nodes[0]).toMatchObject({ id: broker.nodeID, available: true, local: true });
  expect(nodes[0].services).toEqual(expect.arrayContaining(["books", "borrowing", "ops"]));
});

test("only administrators", async () => {
  for (const action of Object.keys((ops as { actions: object }).actions))
    await expect(
      ask(action, { id: "x", type: "x", name: "x" }, { user: { id: "u", roles: ["reader"] } }),
    ).rejects.toBeDefined();
  await expect(ask("nodes", {}, { user: { id: "u", roles: ["reader"] } })).rejects.toMatchObject({ code: 403 });
});
