// The views of operators over real services on a real database: a saga, the actors that it calls, and their logs.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { ServiceBroker } from "moleculer";
import Type from "typebox";
import { defineContract, defineService, PERSONAL } from "../../contract/index.ts";
import { setGrants } from "../../contract/permissions.ts";
import { defineActor } from "../../actor/index.ts";
import { Audit } from "../../audit/mixin.ts";
import { Actors, type HostingService } from "../../actor/mixin.ts";
import { contract as purses, Purse } from "../../actor/account.fixture.ts";
import { appendOf, verdictOf } from "../../event-store/event-store.conformance.ts";
import { Refusal } from "../../kernel/index.ts";
import { startFulfilment, type Fulfilling } from "../../saga/fulfilment-services.fixture.ts";
import { until } from "../../testing/index.ts";
import { newDatabases, type Databases } from "../../testing/servers.ts";
import type { Sampler } from "../figures/sampler.ts";
import { Operations } from "../operations.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const METADATA = { user: "ann", requestId: "r1", traceparent: `00-${TRACE}-b7ad6b7169203331-01` };
const lines = [{ shelf: "bolts", quantity: 1 }];

const address = { line: Type.String(PERSONAL), city: Type.String() };
const letters = defineContract({
  service: "letters",
  actor: "letter",
  state: { to: Type.Optional(Type.Object(address)) },
  commands: { post: { to: Type.Object(address) } },
  events: { "letter.posted": { to: Type.Object(address) } },
});
const Letter = defineActor(letters)({
  initial: () => ({}),
  decide: { post: (_state, { to }) => [letters.event("letter.posted", { to })] },
  evolve: { "letter.posted": (_state, { to }) => ({ to }) },
});

let databases: Databases;
let running: Fulfilling;
let broker: ServiceBroker;
/** Wishes that cannot be sent. */
const unknown = new Set<string>();

beforeAll(async () => {
  databases = await newDatabases();
  running = await startFulfilment(databases, {
    world(action, wish) {
      if (action === "send" && unknown.has(wish)) throw new Refusal("NO_SUCH_ADDRESS");
    },
  });
  broker = running.broker;
  broker.createService(defineService(purses, { mixins: [Actors(Purse)] }));
  broker.createService(defineService(letters, { mixins: [Actors(Letter)] }));
  broker.createService(Operations());
  broker.createService(Audit());
  await broker.waitForServices(["ops", "purses", "letters", "audit"]);
  await broker.call("shelves.fill", { id: "bolts", quantity: 100 });
});
afterAll(async () => {
  await broker?.stop();
  await databases?.remove();
});

const admin = { meta: { user: { id: "root", roles: ["admin"] } } };
const ask = (action: string, params: object = {}) => broker.call<any, object>(`ops.${action}`, params, admin);
const hosted = (service: string) => broker.getLocalService(service) as unknown as HostingService;
const fieldOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => "no refusal",
    // Moleculer's own error about params has the list as its data.
    ({ type, data }) => [type, (data?.errors ?? (Array.isArray(data) ? data : []))[0]?.field],
  );
/** Makes a wish in a trace, whose saga gets stuck. */
async function stuckWish(id: string): Promise<void> {
  unknown.add(id);
  await hosted("wishes").actors.execute(id, "make", { lines, card: "good" }, { metadata: METADATA });
  expect((await running.rests(id)).state).toBe("stuck");
}

test("the overview is empty while all is well", async () => {
  const all = await until(async () => {
    const answer = await ask("overview");
    return answer.unknown.length === 0 ? answer : undefined;
  });
  expect(all).toEqual({ isWell: true, checkedAt: expect.any(String), needs: [], unknown: [] });
});

test("what stands still, is damaged or lost is in the overview; a service that does not answer is unknown", async () => {
  const at = "2026-01-01T00:00:00.000Z";
  const internal = (answer: object) => ({ visibility: "public" as const, handler: () => answer });
  const consumer = { lagEvents: 3, lagMs: 900_000, state: "following" };
  const troubled = broker.createService({
    name: "troubled",
    metadata: { actor: "ghost", consumers: { mails: true } },
    actions: {
      quarantined: internal({ quarantined: [{ id: "g1", reason: "torn", at }] }),
      timers: internal({ timers: [{ id: "t", lateMs: 1_000, dueAt: at }] }),
      relay: internal({ relay: { lagEvents: 0, lagMs: 0 } }),
      deadLetters: internal({ deadLetters: [{ id: "1", consumer: "mails", at }] }),
      consumers: internal({
        consumers: [
          { ...consumer, name: "slow" },
          { ...consumer, name: "mails", state: "stopped", stopped: [{ source: "x", reason: "y", since: at }] },
        ],
      }),
    },
  });
  const away = broker.createService({ name: "away", metadata: { sagas: { trip: true } }, actions: {} });
  await broker.waitForServices(["troubled", "away"]);
  const { registry } = broker as any;
  const lost = {
    sender: "lost",
    seq: 1,
    services: ["books", "$doctor"].map(name => ({ name, fullName: name, metadata: {}, actions: {} })),
  };
  registry.processNodeInfo({ ...lost, instanceID: "1", metadata: {}, ipList: [], client: {}, config: {} });
  registry.nodes.disconnected("lost", true);
  try {
    // The longer a node hangs, the surer the others take it for gone: it is silent all the same.
    expect(await ask("health")).toMatchObject({ status: "FAIL", silent: ["lost"] });
    const { findings } = await ask("doctor");
    expect(findings).toContainEqual(expect.objectContaining({ check: "nodes", subject: "node lost", status: "FAIL" }));
    const { isWell, needs, unknown } = await ask("overview");
    expect([isWell, unknown]).toEqual([false, ["away"]]);
    expect(needs.map(({ kind, count, oldest, command }: any) => [kind, count, oldest, command])).toEqual([
      ["silent nodes", 1, undefined, "nodes"],
      ["quarantined actors", 1, at, "quarantined"],
      ["dead letters", 1, at, "letters --service troubled"],
      ["readers that stand still", 1, at, "consumers"],
      ["readers that are behind", 3, expect.any(String), "lag"],
    ]);
    // The slowest first; a relay that is through is there too.
    const { lag } = await ask("lag");
    expect(
      lag
        .slice(0, 2)
        .map(({ name }: any) => name)
        .sort(),
    ).toEqual(["mails", "slow"]);
    expect(lag).toContainEqual({ kind: "relay", service: "troubled", name: "troubled", lagEvents: 0, lagSeconds: 0 });
  } finally {
    registry.nodes.delete("lost");
    await broker.destroyService(troubled);
    await broker.destroyService(away);
  }
});

test("a stuck saga is in the overview, is found by its reason, counted, noted and told in words", async () => {
  await stuckWish("w1");
  expect((await ask("stream", { topics: "overview,sagas,activity,nodes" })).hints).toEqual([
    { topic: "overview", count: 1, edition: expect.any(String) },
    { topic: "sagas", count: 1, edition: expect.any(String) },
    { topic: "activity", count: 0, edition: expect.any(String) },
    { topic: "nodes", count: 1, edition: expect.any(String) },
  ]);
  const { isWell, needs } = await ask("overview");
  expect(isWell).toBe(false);
  expect(needs).toEqual([
    {
      kind: "stuck sagas",
      count: 1,
      oldest: expect.any(String),
      newest: expect.any(String),
      newestId: "fulfilment.w1",
      says: "fulfilment is stuck with NO_SUCH_ADDRESS: mend the cause and retry, or compensate",
      command: "sagas --state stuck --name fulfilment --reason NO_SUCH_ADDRESS",
      look: { action: "ops.sagas", params: { state: "stuck", name: "fulfilment", reason: "NO_SUCH_ADDRESS" } },
    },
  ]);
  const kind = { state: "stuck", name: "fulfilment", reason: "NO_SUCH_ADDRESS" };
  expect(await ask("sagas", kind)).toMatchObject({
    sagas: [{ id: "fulfilment.w1", code: "NO_SUCH_ADDRESS", service: "fulfilments" }],
  });
  for (const none of [
    { ...kind, name: "other" },
    { ...kind, reason: "LOST" },
    { ...kind, olderThanMinutes: 5 },
  ])
    expect((await ask("sagas", none)).sagas).toEqual([]);
  expect(await ask("sagaCounts")).toMatchObject({
    counts: [{ state: "stuck", saga: "fulfilment", reason: "NO_SUCH_ADDRESS", sagas: 1, service: "fulfilments" }],
    isPartial: false,
  });
  await ask("noteSaga", { id: "fulfilment.w1", note: "the street was renamed" });
  expect(await ask("saga", { id: "fulfilment.w1" })).toMatchObject({
    service: "fulfilments",
    says: expect.stringMatching(/^Stuck: send: NO_SUCH_ADDRESS: .* mend the cause and retry it\.$/),
    notes: [{ by: "root", did: "noted", note: "the street was renamed" }],
    actors: [
      { type: "wish", id: "w1" },
      { type: "shelf", id: "bolts" },
    ],
    traces: [TRACE],
  });
});

describe("search", () => {
  const found = async (q: string, as = admin): Promise<string[][]> => {
    const { hits, silent } = await broker.call<any, object>("ops.search", { q }, as);
    expect(silent).toEqual([]);
    return hits.map(({ kind, id, isExact, look }: any) => [kind, id, isExact ? "exact" : "begins", look?.action]);
  };

  test("finds actors and sagas by id or its beginning, what is exact first", async () => {
    expect(await found("w1")).toEqual([
      ["saga", "fulfilment.w1", "exact", "ops.saga"],
      ["actor", "w1", "exact", "ops.actor"],
    ]);
    expect(await found("fulfilment.w1")).toEqual([["saga", "fulfilment.w1", "exact", "ops.saga"]]);
    expect(await found("shelf.bolts")).toEqual([["actor", "bolts", "exact", "ops.actor"]]);
    expect(await found("bol")).toEqual([["actor", "bolts", "begins", "ops.actor"]]);
    expect(await found("nothing")).toEqual([]);
    const { hits } = await ask("search", { q: "w1", limit: 1 });
    expect(hits[0]).toMatchObject({ title: expect.stringMatching(/^fulfilment.w1: stuck \(send: NO_SUCH_ADDRESS/) });
    expect(hits[1]).toMatchObject({
      title: "wish w1, version 2",
      look: { action: "ops.actor", params: { type: "wish", id: "w1" } },
    });
  });

  test("finds traces, nodes and readers", async () => {
    expect(await found(TRACE)).toEqual([["trace", TRACE, "exact", "ops.trace"]]);
    expect(await found(METADATA.traceparent)).toEqual([["trace", TRACE, "exact", "ops.trace"]]);
    expect(await found(broker.nodeID)).toContainEqual(["node", broker.nodeID, "exact", "ops.nodes"]);
    expect(await found("fulfil")).toEqual([["consumer", "fulfilment", "begins", "ops.consumers"]]);
  });

  test("finds what a request has changed, by its whole id", async () => {
    const requestId = "01990000-0000-7000-8000-00000000000a";
    await hosted("shelves").actors.execute("nuts", "fill", { quantity: 1 }, { metadata: { requestId } });
    expect(await found(requestId.toUpperCase())).toEqual([["actor", "nuts", "begins", "ops.actor"]]);
  });

  test("finds a person only for those who may see accounts, and what a service finds of its own", async () => {
    const public_ = { visibility: "public" as const };
    const ann = { id: "p1", email: "ann@example.com" };
    const people = broker.createService({
      name: "accounts",
      actions: { list: { ...public_, handler: () => ({ rows: [ann] }) }, get: { ...public_, handler: () => ann } },
    });
    const books = broker.createService({
      name: "books",
      metadata: { finds: true },
      actions: {
        find: { ...public_, handler: ({ params }: any) => ({ found: [{ kind: "book", id: "b1", title: params.q }] }) },
      },
    });
    await broker.waitForServices(["accounts", "books"]);
    try {
      const viewer = { meta: { user: { id: "vic", roles: ["viewer"] } } };
      expect(await found(ann.email)).toContainEqual(["person", "p1", "exact", undefined]);
      expect(await found(ann.email, viewer)).not.toContainEqual(["person", "p1", "exact", undefined]);
      expect(await found("Dune")).toEqual([["book", "b1", "begins", undefined]]);
    } finally {
      await Promise.all([people, books].map(service => broker.destroyService(service)));
    }
  });
});

test("a filter names a service that has such sagas, and a bulk has a note", async () => {
  expect(await fieldOf(ask("sagas", { service: "wishes" }))).toEqual(["VALIDATION_ERROR", "service"]);
  expect(await fieldOf(ask("retrySagas", { service: "nope", note: "x" }))).toEqual(["VALIDATION_ERROR", "service"]);
  expect(await fieldOf(ask("retrySagas", {}))).toEqual(["VALIDATION_ERROR", "note"]);
  expect(await fieldOf(ask("compensateSagas", { note: " " }))).toEqual(["VALIDATION_ERROR", "note"]);
  expect(await fieldOf(ask("noteSaga", { id: "fulfilment.none", note: "x" }))).toEqual(["SAGA_NOT_FOUND", undefined]);
});

test("stuck sagas of a kind are retried after a dry run, and the operation is on record", async () => {
  await stuckWish("w2");
  const { cursor } = await ask("tail", { type: "operation.*" });
  const kind = { reason: "NO_SUCH_ADDRESS", note: "the register is back" };
  const counts = [{ saga: "fulfilment", reason: "NO_SUCH_ADDRESS", sagas: 2, service: "fulfilments" }];
  const ids = ["fulfilment.w1", "fulfilment.w2"];
  expect(await ask("retrySagas", { ...kind, dryRun: true })).toMatchObject({ dryRun: true, sagas: 2, counts, ids });
  expect(await ask("sagas", { state: "stuck" })).toMatchObject({ sagas: [{}, {}] });
  unknown.clear();
  expect(await ask("retrySagas", kind)).toMatchObject({ dryRun: false, sagas: 2, ids, refused: [], hasMore: false });
  for (const id of ["w1", "w2"]) expect((await running.rests(id)).state).toBe("completed");
  expect(await ask("retrySagas", kind)).toMatchObject({ sagas: 0, hasMore: false });
  const { events } = await ask("tail", { type: "operation.*", cursor });
  expect(events.map(({ type, data }: any) => [type, data.action, data.details.dryRun ?? false])).toEqual(
    [true, false, false].flatMap(dryRun =>
      ["operation.requested", "operation.answered"].map(type => [type, "retrySagas", dryRun]),
    ),
  );
  expect(events[0]).toMatchObject({ metadata: { user: "root" }, data: { details: kind } });
  // Which sagas it took is on record as well, and each of their journals names the operator.
  expect(events.slice(0, 4).map(({ data }: any) => data.details.ids)).toEqual([undefined, ids, undefined, ids]);
  await ask("noteSaga", { id: "fulfilment.w1", note: "done" });
  const { events: noted } = await ask("tail", { type: "operation.*", cursor });
  expect(noted.filter(({ stream }: any) => stream === "fulfilment.w1")).toHaveLength(2);
});

test("a trace leads to its events and its sagas, and says how far back was searched", async () => {
  const found = await ask("trace", { id: METADATA.traceparent });
  expect(found.id).toBe(TRACE);
  expect(found.events.map(({ service, stream, type }: any) => [service, stream, type])).toEqual([
    ["wishes", "w1", "wish.made"],
    ["wishes", "w2", "wish.made"],
  ]);
  expect(found.sagas.map(({ id }: any) => id).sort()).toEqual(["fulfilment.w1", "fulfilment.w2"]);
  expect(found).toMatchObject({ deadLetters: [], silent: [], hasMore: false });
  expect(found.searched).toContainEqual({ service: "wishes", events: expect.any(Number), since: expect.any(String) });
  // The newest event of a log alone is none of that trace.
  expect((await ask("trace", { id: TRACE, events: 1 })).events).toEqual([]);
  expect((await ask("trace", { id: "0".repeat(32) })).events).toEqual([]);
  expect(await fieldOf(ask("trace", { id: "xyz" }))).toEqual(["VALIDATION_ERROR", "id"]);
});

test("events of all services come after a cursor, of the types that are meant, each once", async () => {
  const start = await ask("tail", { type: "purse.*" });
  expect(start).toMatchObject({ events: [], silent: [] });
  for (const id of ["t1", "t2"]) await broker.call("purses.both", { id, amount: 5 });
  await broker.call("shelves.fill", { id: "nuts", quantity: 1 });
  const seen: string[] = [];
  let { cursor } = start;
  for (let polls = 0; seen.length < 4 && polls < 20; polls++) {
    const page = await ask("tail", { type: "purse.*", limit: 3, cursor });
    expect(page.events.length).toBeLessThanOrEqual(3);
    seen.push(...page.events.map(({ service, stream, type }: any) => `${service} ${stream} ${type}`));
    cursor = page.cursor;
  }
  expect(seen.sort()).toEqual([
    "purses t1 purse.earned",
    "purses t1 purse.noted",
    "purses t2 purse.earned",
    "purses t2 purse.noted",
  ]);
  expect((await ask("tail", { type: "purse.*", cursor })).events).toEqual([]);
  expect(await fieldOf(ask("tail", { cursor }))).toEqual(["VALIDATION_ERROR", "cursor"]);
  expect(await fieldOf(ask("tail", { service: "none" }))).toEqual(["VALIDATION_ERROR", "service"]);
  expect((await ask("tail", { type: "*", service: "shelves" })).events).toEqual([]);
});

test("an actor's history comes in pages with who, when and by which command; states are compared by version", async () => {
  for (let amount = 1; amount <= 4; amount++)
    await hosted("purses").actors.execute("h1", "earn", { amount }, { metadata: METADATA });
  const versions: number[] = [];
  let page = await ask("actorHistory", { type: "purse", id: "h1", limit: 3 });
  expect(page.events[0]).toMatchObject({ type: "purse.earned", metadata: METADATA, at: expect.any(String) });
  for (;;) {
    versions.push(...page.events.map(({ version }: { version: number }) => version));
    if (page.nextCursor === undefined) break;
    page = await ask("actorHistory", { type: "purse", id: "h1", limit: 3, cursor: page.nextCursor });
  }
  expect(versions).toEqual([1, 2, 3, 4]);
  expect((await ask("actorHistory", { type: "purse", id: "h1", from: 4 })).events).toHaveLength(1);
  const diff = (params: object) => ask("actorDiff", { type: "purse", id: "h1", ...params });
  expect(await diff({ from: 1, to: 3 })).toEqual({
    type: "purse",
    id: "h1",
    from: 1,
    to: 3,
    changes: [{ path: "balance", before: 1, after: 6 }],
    hasMore: false,
  });
  expect(await diff({ from: 4 })).toMatchObject({ to: 4, changes: [] });
  expect(await fieldOf(diff({ from: 1, to: 9 }))).toEqual(["VERSION_NOT_FOUND", "version"]);
  for (const action of ["actorHistory", "actorDiff"]) {
    const params = action === "actorDiff" ? { from: 0 } : {};
    expect(await fieldOf(ask(action, { type: "purse", id: "none", ...params }))).toEqual(["ACTOR_NOT_FOUND", "id"]);
    expect(await fieldOf(ask(action, { type: "car", id: "h1", ...params }))).toEqual(["ACTOR_TYPE_NOT_FOUND", "type"]);
  }
});

test("what an actor would decide is told, and nothing happens", async () => {
  const suppose = (command: string, params: object = {}, more: object = {}) =>
    ask("whatIf", { type: "purse", id: "h1", command, params, ...more });
  expect(await suppose("spend", { amount: 4 })).toEqual({
    type: "purse",
    id: "h1",
    version: 4,
    command: "spend",
    outcome: "decides",
    events: [{ type: "purse.spent", data: { amount: 4 } }],
    timers: [],
    changes: [{ path: "balance", before: 10, after: 6 }],
  });
  expect(await suppose("spend", { amount: 11 })).toMatchObject({
    outcome: "refuses",
    error: { type: "NOT_ENOUGH", errors: [{ field: "amount", message: "only 10" }] },
    changes: [],
  });
  expect(await suppose("later", { amount: 1 })).toMatchObject({ events: [], timers: [{ set: "earn", afterMs: 20 }] });
  expect(await suppose("crash")).toMatchObject({ outcome: "fails", error: { type: "DECISION_FAILED" } });
  // Its `prepare` is not called: what it would find is given.
  expect(await fieldOf(suppose("quote", { amount: 2 }))).toEqual(["NEEDS_PREPARED", "prepared"]);
  expect(await suppose("quote", { amount: 2 }, { prepared: 3 })).toMatchObject({
    events: [{ type: "purse.earned", data: { amount: 6 } }],
  });
  expect(await fieldOf(suppose("fly"))).toEqual(["COMMAND_UNKNOWN", "command"]);
  expect(await fieldOf(suppose("constructor"))).toEqual(["COMMAND_UNKNOWN", "command"]);
  expect(await fieldOf(suppose("spend", { amount: 0 }))).toEqual(["VALIDATION_ERROR", "params.amount"]);
  expect(await fieldOf(suppose("spend", { amount: 1, more: 1 }))).toEqual(["VALIDATION_ERROR", "params.more"]);
  // An actor that does not exist yet may be supposed to begin.
  expect(await ask("whatIf", { type: "purse", id: "new", command: "earn", params: { amount: 1 } })).toMatchObject({
    version: 0,
    outcome: "decides",
    changes: [{ path: "balance", before: 0, after: 1 }],
  });
  expect(await ask("actor", { type: "purse", id: "h1" })).toMatchObject({ version: 4, state: { balance: 10 } });
  expect(await fieldOf(ask("actor", { type: "purse", id: "new" }))).toEqual(["ACTOR_NOT_FOUND", "id"]);
  // Without a command, the record is decided again.
  expect(await ask("whatIf", { type: "purse", id: "h1" })).toEqual({
    type: "purse",
    id: "h1",
    version: 4,
    differences: [],
  });
});

test("what tells who a person is is shown to those who may read accounts, and to no other operator", async () => {
  setGrants({ watcher: ["operations:read"], desk: ["operations:read", "accounts:read"] }, []);
  const seen = (role: string) => {
    const as = { meta: { user: { id: role, roles: [role] } } };
    const views = [
      ["actor", { type: "letter", id: "1" }],
      ["actorHistory", { type: "letter", id: "1" }],
      ["actorDiff", { type: "letter", id: "1", from: 1, to: 2 }],
      ["tail", { type: "letter.*", cursor }],
    ] as const;
    return Promise.all(
      views.map(async ([view, params]) => JSON.stringify(await broker.call(`ops.${view}`, params, as))),
    );
  };
  const { cursor } = await ask("tail", { type: "letter.*" });
  for (const line of ["1 Elm Road", "2 Elm Road"])
    await broker.call("letters.post", { id: "1", to: { line, city: "Ulm" } });
  for (const text of await seen("watcher")) {
    expect(text).toContain("…");
    expect(text).not.toContain("Elm Road");
  }
  for (const text of await seen("desk")) expect(text).toContain("Elm Road");
});

test("timers are listed late ones first, in pages; one that is late is in the overview", async () => {
  const set = (id: string, afterMs: number, command: string) => ({
    set: `purse.m1/${id}`,
    afterMs,
    command,
    params: '{"amount":7}',
  });
  const { store } = hosted("purses").actors;
  const timers = [set("far", 600_000, "earn"), set("late", -300_000, "gone"), set("farther", 700_000, "earn")];
  await verdictOf(store, appendOf("purse.m1", 0, { events: [], timers }));
  const first = await ask("timers", { service: "purses", limit: 2 });
  const second = await ask("timers", { service: "purses", limit: 2, cursor: first.nextCursor });
  const all = [...first.timers, ...second.timers];
  expect(all.map(({ id }) => id)).toEqual(["purse.m1/late", "purse.m1/far", "purse.m1/farther"]);
  expect(second.nextCursor).toBeUndefined();
  expect(all[0]).toMatchObject({ service: "purses", actor: "m1", command: "gone", params: { amount: 7 } });
  expect(all[0].lateMs).toBeGreaterThanOrEqual(300_000);
  expect(all[1].lateMs).toBe(0);
  expect((await ask("overview")).needs).toEqual([
    {
      kind: "late timers",
      count: 1,
      oldest: all[0].dueAt,
      says: "timers of purses are more than a minute late: their command fails, or nobody fires them",
      command: "timers --service purses",
      look: { action: "ops.timers", params: { service: "purses" } },
    },
  ]);
  expect(await fieldOf(ask("timers", { service: "fulfilments" }))).toEqual(["VALIDATION_ERROR", "service"]);
});

test("readers of logs are told with their lag, and event stores with their databases, without a password", async () => {
  const caughtUp = await until(async () => {
    const answer = await ask("lag");
    return answer.lag.every(({ lagEvents }: any) => lagEvents === 0) ? answer : undefined;
  });
  expect(caughtUp).toMatchObject({
    lag: [
      { kind: "consumer", service: "audit", name: "audit" },
      { kind: "consumer", service: "fulfilments", name: "fulfilment", lagEvents: 0, lagSeconds: 0 },
    ],
    silent: [],
  });
  const { shards } = await ask("shards");
  expect(shards.map(({ service }: any) => service)).toEqual(["fulfilments", "letters", "purses", "shelves", "wishes"]);
  for (const { place, streams, events, bytes } of shards) {
    expect(place).not.toMatch(/@|\/\//);
    for (const figure of [streams, events, bytes]) expect(figure).toBeGreaterThan(0);
  }
});

test("a job retries all that is stuck, and each part of it is on record", async () => {
  for (const id of ["w3", "w4"]) await stuckWish(id);
  unknown.clear();
  const { cursor } = await ask("tail", { type: "operation.*" });
  const asked = { operation: "retrySagas", reason: "NO_SUCH_ADDRESS", note: "the register is back" };
  const begun = await ask("startJob", asked);
  expect(begun).toMatchObject({ state: "running", total: 2, by: "root", filter: { reason: "NO_SUCH_ADDRESS" } });
  const job = await until(async () => {
    const now = await ask("job", { id: begun.id });
    return now.state === "running" ? undefined : now;
  });
  expect(job).toMatchObject({ state: "done", done: 2, sentOn: 2, refused: [] });
  for (const id of ["w3", "w4"]) expect((await running.rests(id)).state).toBe("completed");
  expect(await ask("jobs")).toEqual({ jobs: [job], silent: [] });
  const { events } = await ask("tail", { type: "operation.*", cursor });
  const answered = events.filter(({ type }: any) => type === "operation.answered");
  expect(
    answered.map(({ data, metadata }: any) => [data.action, data.outcome, data.details.note, metadata.user]),
  ).toEqual(["startJob", "retrySagas"].map(action => [action, "done", asked.note, "root"]));
  // What has ended stays as it ended; a job that nobody knows is refused.
  expect(await ask("stopJob", { id: begun.id })).toEqual(job);
  expect(await fieldOf(ask("job", { id: "0198c7a0-0000-7000-8000-000000000000" }))).toEqual(["JOB_NOT_FOUND", "id"]);
});

describe("activity", () => {
  const deeds = async (params: object = {}) => (await ask("activity", params)).activity;
  const told = ({ person, action, id, note, outcome, error }: any) => [person, action, id, note, outcome, error];

  test("tells what operators did, the newest first, with note and outcome", async () => {
    const id = "fulfilment.w1";
    await ask("noteSaga", { id, note: "called them" });
    await ask("retrySaga", { id, note: "again" }).catch(() => {});
    const both = await until(async () => {
      const found = await deeds({ id });
      return found[0]?.outcome === "refused" ? found.slice(0, 2) : undefined;
    });
    expect(both.map(told)).toEqual([
      ["root", "retrySaga", id, "again", "refused", "SAGA_NOT_STUCK"],
      ["root", "noteSaga", id, "called them", "done", undefined],
    ]);
    expect(both[0]).toMatchObject({ ms: expect.any(Number), details: { id } });
    expect((await deeds({ action: "retrySaga", outcome: "refused" })).map(told)).toEqual([told(both[0])]);
    expect(await deeds({ person: "nobody" })).toEqual([]);
    expect((await deeds({ from: both[1].at })).length).toBe(2);
  });

  test("comes in pages that neither repeat nor skip", async () => {
    const all = await deeds();
    const paged: unknown[] = [];
    for (let cursor: string | undefined; ;) {
      const page = await ask("activity", { limit: 2, ...(cursor !== undefined && { cursor }) });
      expect(page.activity.length).toBeLessThanOrEqual(2);
      paged.push(...page.activity);
      cursor = page.nextCursor;
      if (cursor === undefined) break;
    }
    expect(all.length).toBeGreaterThan(4);
    const withoutMs = ({ ms: _ms, ...deed }: any) => deed;
    expect(paged.map(withoutMs)).toEqual(all.map(withoutMs));
  });

  test("an operation whose node was lost has no outcome", async () => {
    const { actors } = broker.getLocalService("ops") as unknown as HostingService;
    await actors.execute("lost", "request", { action: "rebuild", details: { name: "shelf" } }, { metadata: METADATA });
    const [deed] = await until(async () => {
      const found = await deeds({ outcome: "unknown" });
      return found.length > 0 ? found : undefined;
    });
    expect(told(deed)).toEqual(["ann", "rebuild", "lost", undefined, "unknown", undefined]);
  });
});

test("a process that traces nothing says how it would", async () => {
  const off = { nodes: [broker.nodeID], how: expect.stringContaining("TRACE_MEMORY=on") };
  expect(await ask("traces")).toEqual({ traces: [], off, silent: [] });
});

test("nodes tell their figures, and rates are made of them while somebody looks", async () => {
  const { nodes, silent } = await ask("nodes");
  expect(silent).toEqual([]);
  expect(nodes).toMatchObject([
    {
      id: broker.nodeID,
      available: true,
      services: expect.arrayContaining(["ops", "wishes"]),
      runtime: expect.any(String),
      loopDelayMs: expect.any(Number),
      cpuPercent: expect.any(Number),
      rssBytes: expect.any(Number),
      actors: { purses: expect.any(Number), wishes: expect.any(Number) },
      pools: expect.arrayContaining([expect.objectContaining({ service: "ops", used: expect.any(Number) })]),
    },
  ]);
  expect(await ask("metrics")).toEqual({ everySeconds: 5, points: [] });
  const { sampler } = broker.getLocalService("ops") as unknown as { sampler: Sampler };
  expect(sampler.isRunning).toBe(true);
});
