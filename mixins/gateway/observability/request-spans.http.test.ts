// The spans of requests, as a collector gets them.
import { get, type IncomingMessage } from "node:http";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { newId, readEnvironment } from "../../kernel/index.ts";
import { logTo, openLog, type ProcessLog } from "../../log/index.ts";
import { until } from "../../testing/index.ts";
import { Collector, type CollectedSpan } from "../../testing/servers.ts";
import { startTracing, type Tracing } from "../../tracing/index.ts";
import { startLibrary, type Library } from "../library.fixture.ts";
import { AccessLog } from "./access-log.ts";

/** Of a client that keeps its trace. */
const CLIENT = { trace: "0af7651916cd43dd8448eb211c80319c", id: "b7ad6b7169203331" };
const user = newId();
let collector: Collector;
let tracing: Tracing;
let gateway: Library;
let token: string;

beforeAll(async () => {
  collector = await Collector.start();
  tracing = (await startTracing(readEnvironment({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url })))!;
  gateway = await startLibrary({
    "books.list": () => {
      throw new Error("the shelves are gone");
    },
  });
  token = await gateway.token(user);
});
afterEach(() => void (collector.spans.length = 0));
afterAll(async () => {
  await gateway.stop();
  await tracing.stop();
  await collector.stop();
});

/** The lines of a log, with which the gateway is given its loggers. */
function logged(use: (log: ProcessLog) => void): any[] {
  const lines: any[] = [];
  const keep = (text: string): void => void lines.push(JSON.parse(text));
  use(openLog({ write: keep, collect: keep, flush: () => {}, dropped: 0 }));
  return lines;
}

/** The span of a request, by its name. It ends after the client has the answer. */
const requestSpan = (name: string): Promise<CollectedSpan> =>
  until(`a span ${name}`, async () => {
    await tracing.flush();
    return collector.spans.find(span => span.kind === "server" && span.name === name);
  });

test("a request goes on with its client's trace, and its action with the request's", async () => {
  const headers = { traceparent: `00-${CLIENT.trace}-${CLIENT.id}-01` };
  const { status } = await gateway.http("GET", "/api/v1/loans", { token, headers });
  expect(status).toBe(200);
  const request = await requestSpan("GET /api/v1/loans");
  expect(request).toMatchObject({
    trace: CLIENT.trace,
    parent: CLIENT.id,
    attributes: { "http.request.method": "GET", "url.path": "/api/v1/loans", "http.response.status_code": 200 },
  });
  expect(request.events.slice(0, 6)).toEqual(["send", "successor", "time", "deadline", "failures", "identify"]);
  const action = collector.spans.find(({ parent }) => parent === request.id);
  expect(action).toMatchObject({ kind: "internal", attributes: { "rpc.system.name": "moleculer" } });
  // The action in which moleculer-web routes is no work of its own.
  expect(collector.spans.some(({ name }) => name === "api.rest")).toBe(false);
});

test("a request that is refused is no failure, and has the name of its route if there is one", async () => {
  await gateway.http("GET", "/api/v1/loans");
  expect(await requestSpan("GET /api/v1/loans")).toMatchObject({
    parent: "",
    hasFailed: false,
    attributes: { "http.response.status_code": 401 },
  });
  await gateway.http("GET", "/api/v1/nothing/ann%40canary.example");
  expect((await requestSpan("GET")).attributes).toMatchObject({ "http.response.status_code": 404 });
});

test("a path tells ids, and nothing that a client may have put in their place", async () => {
  await gateway.http("GET", "/api/v1/books/ann%40canary.example");
  await gateway.http("GET", "/api/v1/copies/canary.ann@example.org");
  expect((await requestSpan("GET /api/v1/books/:id")).attributes["url.path"]).toBeUndefined();
  expect((await requestSpan("GET /api/v1/copies/:isbn")).attributes["http.route"]).toBe("/api/v1/copies/:isbn");
  await gateway.http("GET", "/api/v1/copies/978-0");
  await until("the path with its id", async () => {
    await tracing.flush();
    return collector.spans.some(({ attributes }) => attributes["url.path"] === "/api/v1/copies/978-0");
  });
  expect(JSON.stringify(collector.spans)).not.toContain("canary");
});

test("an event stream's span is over when it is open", async () => {
  const id = newId();
  gateway.histories.set(id, { owner: user, events: [] });
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}` };
    get(`${gateway.url}/api/v1/loans/${id}/stream`, { agent: false, headers }, resolve).on("error", reject);
  });
  const span = await requestSpan("GET /api/v1/loans/:id/stream");
  expect(span.attributes).toMatchObject({ "http.response.status_code": 200 });
  expect(response.destroyed).toBe(false);
  response.on("error", () => {}).destroy();
});

test.each([
  ["a trace of the client's", `00-${CLIENT.trace}-${CLIENT.id}-01`],
  ["no trace", undefined],
  ["one that is none", `00-${"0".repeat(32)}-${CLIENT.id}-01`],
  ["one of no version that there is", `ff-${CLIENT.trace}-${CLIENT.id}-01`],
])("the access log names the span of a request with %s", async (_, traceparent) => {
  const lines = logged(log => {
    gateway.service.accessLog = new AccessLog({ share: 1, proxies: 0, node: "node-1", log });
  });
  await gateway.http("GET", "/api/v1/loans", { token, ...(traceparent && { headers: { traceparent } }) });
  const { trace, id } = await requestSpan("GET /api/v1/loans");
  await until("its line", () => lines.length > 0);
  expect(lines).toMatchObject([{ log: "access", traceId: trace, spanId: id }]);
});

test("lines about a request that fails or is refused have its ids and its user", async () => {
  const lines = logged(({ lines: logger }) => {
    const { service } = gateway;
    service.logger.error = (...args: unknown[]) => logTo(logger, "error", args);
    service.logger.warn = (...args: unknown[]) => logTo(logger, "warn", args);
  });
  const failed = await gateway.http("GET", "/api/v1/books", { token });
  const refused = await gateway.http("POST", "/api/v1/staff/loans/x/report", { token });
  expect([failed.status, refused.status]).toEqual([500, 403]);
  const spans = [await requestSpan("GET /api/v1/books"), await requestSpan("POST /api/v1/staff/loans/:id/report")];
  expect(lines).toMatchObject([
    { level: "error", requestId: failed.json.requestId, traceId: spans[0]!.trace, spanId: spans[0]!.id },
    { level: "warn", requestId: refused.json.requestId, user, traceId: spans[1]!.trace, spanId: spans[1]!.id },
  ]);
});

test("health checks and metrics make no spans", async () => {
  for (const path of ["/health/live", "/health/ready", "/metrics"]) await gateway.http("GET", path);
  await gateway.http("GET", "/api/v1/loans");
  await requestSpan("GET /api/v1/loans");
  expect(collector.spans.filter(({ kind }) => kind === "server")).toHaveLength(1);
});

test("/metrics counts the spans that have arrived", async () => {
  await gateway.http("GET", "/api/v1/loans");
  await tracing.flush();
  const admin = await gateway.token(newId(), ["admin"]);
  await until("they are counted", async () => {
    const { text } = await gateway.http("GET", "/metrics", { token: admin });
    return Number(/^valence_trace_spans_total\{outcome="exported"\} (\d+)/m.exec(text)?.[1]) > 0;
  });
});
