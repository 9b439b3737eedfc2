import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { ServiceBroker } from "moleculer";
import { until } from "../testing/index.ts";
import { freePort } from "../testing/servers.ts";
import { readEnvironment } from "../kernel/index.ts";
import { raw } from "../gateway/gateway.fixture.ts";
import { SECURITY_HEADERS } from "../http/siblings.ts";
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
    expect(await ask("ready")).toMatchObject({ type: "/problems/not-ready", detail: "not ready yet: filling" });
    isFilled = true;
    expect(await ask("ready")).toEqual({ status: "ready" });
  } finally {
    await broker.stop();
  }
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
