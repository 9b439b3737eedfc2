// A gateway that stops under load resets no connection, ends its streams, and says first that it is not ready.
import { fork } from "node:child_process";
import { once } from "node:events";
import { Agent, get, type ServerResponse } from "node:http";
import { expect, test } from "@jest/globals";
import { newId } from "../../kernel/index.ts";
import { readEnvironment } from "@valence/runtime/kernel";
import { ask } from "./callers.fixture.ts";
import { until } from "../../testing/index.ts";
import { api, book, startLibrary } from "../library.fixture.ts";
import { limits } from "../limits.ts";
import { HttpServer } from "../../http/siblings.ts";

const sleep = (ms: number) => new Promise(resolve => setTimeout(resolve, ms));

test("a stop under keep-alive load resets no one, says 503 at readiness before the port closes, and ends streams", async () => {
  const gateway = await startLibrary({
    "books.get": async () => {
      await sleep(100);
      return book;
    },
  });
  const user = newId();
  const loan = newId();
  gateway.histories.set(loan, {
    owner: user,
    events: [{ type: "loan.opened", version: 1, at: "2026-01-01T00:00:00.000Z", data: {} }],
  });
  const authorization = `Bearer ${await gateway.token(user)}`;
  let streamed = "";
  get(`${gateway.url}/api/v1/loans/${loan}/stream`, { agent: false, headers: { authorization } }, response => {
    response.setEncoding("utf8").on("data", (chunk: string) => (streamed += chunk));
    response.on("end", () => (streamed += "<end>"));
  });
  await until("the stream", () => streamed.includes("id: 1"));

  const outcomes: string[] = [];
  const ready: string[] = [];
  const stop = new AbortController();
  const callers = Array.from({ length: 20 }, async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (!stop.signal.aborted) {
      const outcome = await ask(`${gateway.url}/api/v1/books/${book.id}`, agent);
      // A refused connection is no reset: the balancer has seen readiness by then.
      if (outcome === "ECONNREFUSED") break;
      outcomes.push(outcome);
    }
    agent.destroy();
  });
  const balancer = (async () => {
    const agent = new Agent();
    while (!stop.signal.aborted) {
      ready.push(await ask(`${gateway.url}/health/ready`, agent));
      await sleep(50);
    }
  })();
  await until("load", () => outcomes.length > 40 && ready.length > 0);
  const asked = ready.length;
  const startedAt = performance.now();
  await gateway.stop();
  const tookMs = performance.now() - startedAt;
  stop.abort();
  await Promise.all([...callers, balancer]);

  expect(new Set(outcomes)).toEqual(new Set(["200"]));
  // How often the balancer asks within the announce delay depends on the machine's load; that an answer tells it does not.
  expect(new Set(ready.slice(0, asked))).toEqual(new Set(["200"]));
  expect(ready.slice(asked).find(outcome => outcome !== "200")).toBe("503");
  expect(tookMs).toBeGreaterThanOrEqual(limits.announceMs);
  expect(streamed).toMatch(/retry: \d+\n\n<end>$/);
  expect(tookMs).toBeLessThan(3_000);
});

test("a gateway that is not scheduled while it drains resets no connection that the kernel has accepted meanwhile", async () => {
  const waiting: ServerResponse[] = [];
  const server = new HttpServer((_req, res) => void waiting.push(res));
  const port = await server.listen(0);
  // In a process of their own: they go on while the loop of this one is blocked.
  const outcomes: string[] = [];
  const clients = fork(new URL("./callers.fixture.ts", import.meta.url), [`${port}`, "20"]);
  clients.on("message", outcome => outcomes.push(outcome as string));
  await until("the callers", () => waiting.length === 20);
  const answer = () => {
    for (const res of waiting.splice(0)) res.end("ok");
  };
  const drained = server.drain(5_000, () =>
    setTimeout(() => {
      answer(); // all of them come again, while we see nothing for 3 s
      const end = performance.now() + 3_000;
      while (performance.now() < end);
      setInterval(answer, 10).unref();
    }, 10),
  );
  await Promise.all([drained, once(clients, "exit")]);
  expect(outcomes.filter(outcome => outcome !== "200" && outcome !== "ECONNREFUSED")).toEqual([]);
  expect(outcomes.filter(outcome => outcome === "200").length).toBe(40);
});

test("a call that outlives the grace is cut, and the stop returns", async () => {
  const gateway = await startLibrary({ "books.get": () => sleep(8_000) });
  const asked = ask(`${gateway.url}/api/v1/books/${book.id}`, new Agent());
  await until("the call", () => gateway.reached.some(({ action }) => action === "books.get"));
  await gateway.stop();
  expect(await asked).toBe("ECONNRESET");
}, 20_000);

test("live at once, ready only when every routed service is there", async () => {
  const gateway = await startLibrary();
  const shelves = gateway.broker.getLocalService("shelves");
  await gateway.broker.destroyService(shelves);
  const { status, json } = await gateway.http("GET", "/health/ready");
  expect([status, json]).toEqual([503, { status: "starting", missing: ["shelves"] }]);
  const shelf = await gateway.http("GET", "/api/v1/shelf", { token: await gateway.token(newId()) });
  expect([shelf.status, shelf.headers.get("retry-after")]).toEqual([503, "1"]);
  expect((await gateway.http("GET", "/health/live")).status).toBe(200);
  await gateway.stop();
});

test("a taken port stops the start and names the variable", async () => {
  const gateway = await startLibrary();
  const second = new (gateway.broker.constructor as any)({
    ...gateway.broker.options,
    nodeID: "second",
    middlewares: [],
    valence: readEnvironment({ PORT: `${gateway.port}` }),
  });
  second.createService(api);
  await expect(second.start()).rejects.toThrow("PORT");
  await gateway.stop();
});
