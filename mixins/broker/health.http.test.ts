import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { ServiceBroker } from "moleculer";
import { until } from "../testing/index.ts";
import { freePort } from "../testing/servers.ts";
import { readEnvironment, Refusal } from "../kernel/index.ts";
import { raw } from "../gateway/gateway.fixture.ts";
import { SECURITY_HEADERS } from "../http/siblings.ts";
import { memoryState } from "./health-report.ts";
import { brokerOptions } from "./index.ts";

test("a node is ready once its services say that they are, and live before", async () => {
  const port = await freePort();
  const environment = readEnvironment({ HEALTH_PORT: `${port}` });
  const broker = new ServiceBroker({ ...brokerOptions(environment), logger: false });
  let isFilled = false;
  broker.createService({ name: "filling", methods: { ready: () => isFilled } });
  await broker.start();
  try {
    const ask = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${port}/health/${path}`);
      return { status: response.status, ...((await response.json()) as object) };
    };
    expect(await ask("live")).toMatchObject({ status: "live" });
    expect(await ask("startup")).toEqual({ status: "started" });
    expect(await ask("ready")).toMatchObject({ type: "/problems/not-ready", detail: "not ready yet: filling" });
    isFilled = true;
    expect(await ask("ready")).toEqual({ status: "ready" });
  } finally {
    await broker.stop();
  }
});

test("a start is over when each service has started, and stays over while the process drains", async () => {
  const port = await freePort();
  const environment = readEnvironment({ HEALTH_PORT: `${port}` });
  const broker = new ServiceBroker({ ...brokerOptions(environment), logger: false });
  const migrated = Promise.withResolvers<void>();
  const drained = Promise.withResolvers<void>();
  broker.createService({ name: "slow", started: () => migrated.promise, stopped: () => drained.promise });
  const startup = async () => {
    const response = await fetch(`http://127.0.0.1:${port}/health/startup`);
    return { status: response.status, body: await response.json() };
  };
  const starting = broker.start();
  await until("it listens", () => startup().then(Boolean, () => false));
  expect(await startup()).toMatchObject({ status: 503, body: { type: "/problems/not-ready", detail: "starting" } });
  migrated.resolve();
  await starting;
  expect(await startup()).toEqual({ status: 200, body: { status: "started" } });
  const stopping = broker.stop();
  expect((await startup()).status).toBe(200);
  drained.resolve();
  await stopping;
});

test("what a process depends on is told to those who may operate, and to nobody on the port", async () => {
  const broker = new ServiceBroker({ ...brokerOptions(readEnvironment({})), logger: false });
  await broker.start();
  try {
    const ask = (roles: readonly string[]) =>
      broker.call<any, object>("$health.report", {}, { meta: { user: { id: "u", roles } } });
    await expect(ask(["reader"])).rejects.toMatchObject({ code: 403 });
    const { dependencies, askedAt, answeredAt } = await ask(["admin"]);
    expect(dependencies.map(({ kind, name }: { kind: string; name: string }) => [kind, name])).toEqual([
      ["process", "event loop"],
      ["process", "memory"],
    ]);
    const [loop, memory] = dependencies;
    expect(loop.figures).toEqual({ delayMs: expect.any(Number), busyPercent: expect.any(Number) });
    expect(memory.figures.rssBytes).toBeLessThan(memory.figures.rssBytesMax);
    expect(answeredAt).toBeGreaterThanOrEqual(askedAt);
  } finally {
    await broker.stop();
  }
});

test("memory is judged by the container's limit and by the heap's", () => {
  const heapUsed = 50_000_000;
  expect(memoryState({ rss: 100_000_000, heapUsed }, 200_000_000).status).toBe("ok");
  expect(memoryState({ rss: 180_000_000, heapUsed }, 200_000_000).status).toBe("warn");
  expect(memoryState({ rss: 195_000_000, heapUsed }, 200_000_000)).toMatchObject({
    status: "FAIL",
    message: expect.stringMatching(/^186 MB of 191 MB, heap 48 MB of /),
    advice: expect.any(String),
  });
  expect(memoryState({ rss: 1, heapUsed: Number.MAX_SAFE_INTEGER }, 200_000_000).status).toBe("FAIL");
});

describe("/metrics", () => {
  const METRICS_TOKEN = "a-token-for-prometheus";
  const brokers: ServiceBroker[] = [];
  afterAll(() => Promise.all(brokers.map(broker => broker.stop())));

  /** Starts a node; answers how to scrape it. */
  async function start(env: Record<string, string>): Promise<(token?: string, accept?: string) => Promise<Response>> {
    const port = await freePort();
    const environment = readEnvironment({ HEALTH_PORT: `${port}`, ...env });
    const broker = new ServiceBroker({ ...brokerOptions(environment), logger: false });
    brokers.push(broker);
    broker.createService({
      name: "loans",
      actions: {
        make: () => "made",
        refuse: () => Promise.reject(new Refusal("LOAN_EXISTS", { message: "there is one" })),
        break: () => Promise.reject(new TypeError("a bug")),
      },
    });
    await broker.start();
    return (token = METRICS_TOKEN, accept = "text/plain") =>
      fetch(`http://127.0.0.1:${port}/metrics`, { headers: { Authorization: `Bearer ${token}`, Accept: accept } });
  }
  const broker = () => brokers.at(-1)!;

  test("is for the bearer of METRICS_TOKEN, and counts each call by how it ended", async () => {
    const scrape = await start({ METRICS_TOKEN });
    const refused = await scrape("another-token-for-prometheus");
    expect([refused.status, await refused.json()]).toEqual([
      401,
      expect.objectContaining({ type: "/problems/metrics-denied" }),
    ]);
    for (const action of ["make", "make", "refuse", "break"])
      await broker()
        .call(`loans.${action}`)
        .catch(() => {});
    const answer = await scrape();
    expect([answer.status, answer.headers.get("content-type")]).toEqual([200, expect.stringMatching(/^text\/plain/)]);
    const text = await answer.text();
    for (const line of [
      'valence_action_calls_total{action="loans.make",outcome="ok"} 2',
      'valence_action_calls_total{action="loans.make",outcome="failed"} 0',
      'valence_action_calls_total{action="loans.refuse",outcome="refused"} 1',
      'valence_action_calls_total{action="loans.break",outcome="failed"} 1',
      'valence_action_duration_seconds_count{action="loans.make"} 2',
      'valence_action_calls_active{service="loans"} 0',
      'valence_service_ready{service="loans"} 1',
    ])
      expect(text).toContain(`${line}\n`);
    expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds \d/m);
    expect((await scrape(METRICS_TOKEN, "application/openmetrics-text")).headers.get("content-type")).toMatch(
      /^application\/openmetrics-text/,
    );
  });

  test("is nobody's without METRICS_TOKEN, and not there with METRICS=off", async () => {
    const closed = await start({});
    expect((await closed()).status).toBe(401);
    const off = await start({ METRICS: "off", METRICS_TOKEN });
    expect((await off()).status).toBe(404);
    expect(await broker().call("loans.make")).toBe("made");
  });

  test("answers while the loop is busy", async () => {
    const scrape = await start({ METRICS_TOKEN });
    let isBusy = true;
    const block = (): void => {
      for (const until = performance.now() + 50; performance.now() < until;);
      if (isBusy) setImmediate(block);
    };
    block();
    const answers = await Promise.all(Array.from({ length: 10 }, () => scrape()));
    isBusy = false;
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    // The delay is in what the next scrape tells.
    const delay = /^nodejs_eventloop_lag_max_seconds ([\d.]+)/m.exec(await (await scrape()).text())![1];
    expect(Number(delay)).toBeGreaterThan(0);
  });
});

describe("the port is as hard as the public one", () => {
  let broker: ServiceBroker;
  let port: number;
  beforeAll(async () => {
    port = await freePort();
    const environment = readEnvironment({ HEALTH_PORT: `${port}` });
    broker = new ServiceBroker({ ...brokerOptions(environment), logger: false });
    await broker.start();
  });
  afterAll(() => broker.stop());

  const HOST = "Host: a\r\n";
  test.each([
    ["a query", `GET /health/live?x=1 HTTP/1.1\r\n${HOST}\r\n`, 200],
    ["an absolute target", `GET http://a/health/ready HTTP/1.1\r\n${HOST}\r\n`, 200],
    ["HEAD", `HEAD /health/live HTTP/1.1\r\n${HOST}\r\n`, 200],
    ["a balancer's usual path", `GET / HTTP/1.1\r\n${HOST}\r\n`, 200],
    ["OPTIONS *", `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`, 204],
    ["an unknown path", `GET /healthz HTTP/1.1\r\n${HOST}\r\n`, 404],
    ["another method", `POST /health/live HTTP/1.1\r\n${HOST}\r\n`, 405],
    ["no Host", "GET /health/live HTTP/1.1\r\n\r\n", 400],
    ["two Hosts", `GET /health/live HTTP/1.1\r\n${HOST}${HOST}\r\n`, 400],
    ["too many fields", `GET /health/live HTTP/1.1\r\n${HOST}${"X: 1\r\n".repeat(100)}\r\n`, 431],
    ["too long fields", `GET /health/live HTTP/1.1\r\n${HOST}X: ${"x".repeat(20_000)}\r\n\r\n`, 431],
    ["no HTTP", "hello\r\n\r\n", 400],
    ["CONNECT", `CONNECT a:80 HTTP/1.1\r\n${HOST}\r\n`, 400],
  ])("%s", async (_what, text, status) => {
    const answer = await raw(port, text);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toContain("Connection: close\r\n");
    expect(answer).toMatch(/^X-Request-ID: [\w-]{36}\r$/m);
    for (const [name, value] of SECURITY_HEADERS) expect(answer).toContain(`${name}: ${value}\r\n`);
    if (status >= 400) expect(answer).toMatch(/^Content-Type: application\/problem\+json\r$[^]*"requestId":/m);
  });

  test("connections that say nothing keep no probe away", async () => {
    const silent = Array.from({ length: 80 }, () => connect(port, "127.0.0.1").on("error", () => {}));
    await until("all are there", () => silent.every(socket => !socket.connecting));
    expect((await fetch(`http://127.0.0.1:${port}/health/live`)).status).toBe(200);
    for (const socket of silent) socket.destroy();
  });
});
