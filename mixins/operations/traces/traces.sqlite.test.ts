// Slow and failed traces of a process that has no collector, as operators see them.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ServiceBroker, type Context } from "moleculer";
import { brokerOptions } from "../../broker/index.ts";
import { readEnvironment } from "../../kernel/index.ts";
import { ATTRIBUTES, startTracing, type Tracing } from "../../tracing/index.ts";
import { Operations } from "../operations.ts";

let dataDir: string;
let tracing: Tracing;
let broker: ServiceBroker;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "traces-"));
  const environment = readEnvironment({ DATA_DIR: dataDir, TRACE_MEMORY: "on", TRACE_SLOW_MS: "600000" });
  tracing = (await startTracing(environment))!;
  broker = new ServiceBroker({ ...brokerOptions(environment), logger: false });
  broker.createService({
    name: "loans",
    actions: {
      lend: (ctx: Context) => ctx.call("loans.stamp"),
      stamp() {
        throw new Error("the stamp is lost");
      },
      look: () => "here",
    },
  });
  broker.createService(Operations());
  await broker.start();
});
afterAll(async () => {
  await broker?.stop();
  await tracing?.stop();
  await rm(dataDir, { recursive: true, force: true });
});

const viewer = { meta: { user: { id: "vic", roles: ["viewer"] } } };
const ask = (action: string, params: object = {}) => broker.call<any, object>(`ops.${action}`, params, viewer);

test("a failed trace is found by what its spans tell, with its spans; one that was quick and well is not kept", async () => {
  const attributes = { [ATTRIBUTES.requestId]: "request-1", [ATTRIBUTES.stream]: "loan.0198c7" };
  await broker.call("loans.look");
  const request = tracing.within({ name: "POST /loans", kind: "server", attributes }, () => broker.call("loans.lend"));
  await expect(request).rejects.toThrow("the stamp is lost");
  const failed = {
    id: expect.stringMatching(/^[0-9a-f]{32}$/),
    name: "POST /loans",
    kind: "failed",
    at: expect.any(String),
    ms: expect.any(Number),
    error: "the stamp is lost",
    requestId: "request-1",
    spans: 3,
    nodes: [broker.nodeID],
  };
  expect(await ask("traces")).toEqual({ traces: [failed], silent: [] });
  const [{ id }] = (await ask("traces")).traces;
  for (const q of [id, "request-1", "loan.0198c7", "0198c7"])
    expect([q, (await ask("traces", { q })).traces.length]).toEqual([q, 1]);
  expect((await ask("traces", { q: "request-2" })).traces).toEqual([]);
  expect((await ask("traces", { kind: "slow" })).traces).toEqual([]);

  const { spans, at } = await ask("traceSpans", { id });
  expect(at).toBe((await ask("traces")).traces[0].at);
  const [top, lend, stamp] = spans;
  expect(spans.map(({ name, failed, node }: any) => [name, failed, node])).toEqual(
    ["POST /loans", "loans.lend", "loans.stamp"].map(name => [name, true, broker.nodeID]),
  );
  expect([top.parent, lend.parent, stamp.parent]).toEqual([undefined, top.id, lend.id]);
  expect(top).toMatchObject({ offsetMs: 0, kind: "server", attributes });
  expect(await ask("traceSpans", { id: "0".repeat(32) })).toEqual({ id: "0".repeat(32), spans: [], silent: [] });
});

test("requests of operators are no traces of the system, and pages go on where one has ended", async () => {
  const route = (name: string, route: string) =>
    tracing.begin({ name, parent: null, attributes: { [ATTRIBUTES.httpRoute]: route } }).end(new Error("no"));
  route("operators", "/api/v1/ops/sagas");
  route("users", "/api/v1/loans");
  const seen: string[] = [];
  for (let cursor: string | undefined; ;) {
    const { traces, nextCursor } = await ask("traces", { limit: 1, ...(cursor !== undefined && { cursor }) });
    seen.push(...traces.map(({ name }: { name: string }) => name));
    cursor = nextCursor;
    if (cursor === undefined) break;
  }
  expect(seen).toEqual(["users", "POST /loans"]);
});

test("the latest 200 are kept", async () => {
  for (let n = 0; n < 250; n++) tracing.begin({ name: `late ${n}`, parent: null }).end(new Error("no"));
  const all = tracing.recent.list();
  expect([all.length, all[0]!.name, all.at(-1)!.name]).toEqual([200, "late 249", "late 50"]);
});
