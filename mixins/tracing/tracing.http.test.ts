// Spans on their way to a real collector over HTTP.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Bug, readEnvironment, Refusal } from "../kernel/index.ts";
import { until } from "../testing/index.ts";
import { Collector, type CollectedSpan } from "../testing/servers.ts";
import { startTracing, tracing, type Tracing } from "./index.ts";

let collector: Collector;
beforeAll(async () => {
  collector = await Collector.start();
});
afterAll(() => collector.stop());

let active: Tracing;
beforeEach(async () => {
  collector.mood = "takes";
  await tracing()?.stop();
  collector.spans.length = 0;
  active = await start({});
});
afterAll(() => active.stop());

async function start(env: Record<string, string>): Promise<Tracing> {
  const environment = readEnvironment({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, NODEID: "node-1", ...env });
  return (await startTracing(environment))!;
}

async function collected(name: string): Promise<CollectedSpan> {
  await active.flush();
  return collector.spans.find(span => span.name === name)!;
}
const place = ({ trace, id }: CollectedSpan): object => ({ trace, id });

test("a process without a collector does not trace, nor does one that is told not to", async () => {
  await active.stop();
  expect(await startTracing(readEnvironment({}))).toBeUndefined();
  expect(await start({ OTEL_SDK_DISABLED: "true" })).toBeUndefined();
  expect(await start({ OTEL_TRACES_EXPORTER: "none" })).toBeUndefined();
  expect(tracing()).toBeUndefined();
});

test("a trace that a collector takes is kept in memory too, if it was slow or failed", async () => {
  active.within({ name: "quick" }, () => {});
  expect(() =>
    active.within({ name: "outer" }, () => {
      active.within({ name: "inner" }, () => {
        throw new Error("torn");
      });
    }),
  ).toThrow("torn");
  const [trace, ...others] = active.recent.list();
  expect([trace!.name, trace!.failed, trace!.error, trace!.spans, others]).toEqual(["outer", true, "torn", 2, []]);
  expect(active.recent.spansOf(trace!.id).map(({ name }) => name)).toEqual(["inner", "outer"]);
  expect((await collected("outer")).trace).toBe(trace!.id);
});

test("a span is within the one in which it was begun, also after others have waited", async () => {
  await active.within({ name: "outer", kind: "server" }, async () => {
    await new Promise(resolve => setImmediate(resolve));
    active.within({ name: "inner", attributes: { "valence.stream": "loan.1", "valence.version": 3 } }, () => {});
  });
  const [outer, inner] = [await collected("outer"), await collected("inner")];
  expect(outer).toMatchObject({ parent: "", kind: "server", hasFailed: false });
  expect(inner).toMatchObject({ trace: outer.trace, parent: outer.id, kind: "internal" });
  expect(inner.attributes).toEqual({ "valence.stream": "loan.1", "valence.version": 3 });
  expect(inner.resource).toMatchObject({ "service.name": "valence", "service.instance.id": "node-1" });
});

test("work that goes on when its span has ended is not within it", async () => {
  const seen = await active.within({ name: "request" }, async () => ({
    later: new Promise(resolve => setImmediate(() => resolve(active.current()))),
  }));
  expect(await seen.later).toBeUndefined();
});

test("an error is told without its secrets; a refusal is an answer, and no failure", async () => {
  const fail = (name: string, error: Error) =>
    expect(active.within({ name }, () => Promise.reject(error))).rejects.toBe(error);
  await fail("bug", new Bug("STORE_UNREADABLE", "no answer of postgres://ada:s3cr3t@db/loans"));
  await fail("refusal", new Refusal("LOAN_CLOSED", { message: "it is closed" }));
  expect(() =>
    active.within({ name: "thrown" }, () => {
      throw new TypeError("x is not a function");
    }),
  ).toThrow(TypeError);
  const bug = await collected("bug");
  expect(bug).toMatchObject({
    hasFailed: true,
    attributes: { "error.type": "STORE_UNREADABLE" },
    events: ["exception"],
  });
  expect(JSON.stringify(bug)).not.toContain("s3cr3t");
  expect(await collected("refusal")).toMatchObject({ hasFailed: false, attributes: { "error.type": "LOAN_CLOSED" } });
  expect(await collected("thrown")).toMatchObject({ hasFailed: true });
});

describe("work for others", () => {
  const begun = (name: string) => {
    const span = active.begin({ name, parent: null });
    span.end();
    return span.traceparent;
  };

  test("of one trace is a part of it, and links to each", async () => {
    const parent = active.begin({ name: "request", parent: null });
    const [first, second] = ["first", "second"].map(name => active.begin({ name, parent }));
    for (const span of [parent, first!, second!]) span.end();
    active.within({ name: "batch", causes: [first!.traceparent, second!.traceparent] }, () => {});
    const batch = await collected("batch");
    const [one, two] = [await collected("first"), await collected("second")];
    expect(batch).toMatchObject({ trace: one.trace, parent: one.id, links: [place(one), place(two)] });
  });

  test("of several traces has a trace of its own, and links to each", async () => {
    active.within({ name: "batch", causes: [begun("one"), begun("two")] }, () => {});
    const [batch, one, two] = [await collected("batch"), await collected("one"), await collected("two")];
    expect(batch.parent).toBe("");
    expect(batch.links).toEqual([place(one), place(two)]);
    expect([one.trace, two.trace]).not.toContain(batch.trace);
  });

  test("a text that is no traceparent is as good as none", async () => {
    active.within({ name: "alone", causes: ["", "00-x", `00-${"0".repeat(32)}-${"0".repeat(16)}-01`] }, () => {});
    active.within({ name: "child", parent: "<script>" }, () => {});
    expect(await collected("alone")).toMatchObject({ parent: "", links: [] });
    expect(await collected("child")).toMatchObject({ parent: "" });
  });
});

describe("a call of fetch", () => {
  let company: Server;
  let url: string;
  let seen: string | undefined;
  let seenState: string | undefined;
  beforeAll(async () => {
    company = createServer((req, res) => {
      seen = req.headers["traceparent"] as string | undefined;
      seenState = req.headers["tracestate"] as string | undefined;
      res.statusCode = Number(req.headers["x-answer"] ?? 200);
      res.end();
    });
    company.listen(0, "127.0.0.1");
    await once(company, "listening");
    url = `http://127.0.0.1:${(company.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    company.closeAllConnections();
    company.close();
  });

  test("is a span, and takes the trace along; its query, which may hold a key, is not told", async () => {
    await active.within({ name: "visit" }, async () => (await fetch(`${url}/ask?key=s3cr3t`)).text());
    const [visit, call] = [await collected("visit"), await collected("GET")];
    expect(call).toMatchObject({ parent: visit.id, kind: "client", attributes: { "url.full": `${url}/ask` } });
    expect(seen).toBe(`00-${call.trace}-${call.id}-01`);
    expect(JSON.stringify(call)).not.toContain("s3cr3t");
  });

  test.each(["01", "00"])("takes along what others have noted of a trace with flags %s", async flags => {
    /** It fails, and is kept whatever its flags. */
    const visit = async (tracestate: string) => {
      const parent = { traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-${flags}`, tracestate };
      const work = active.within({ name: "visit", parent }, async () => {
        await active.within({ name: "step" }, () => fetch(url));
        throw new Bug("STORE_UNREADABLE", "no answer of the store");
      });
      await expect(work).rejects.toThrow();
    };
    await visit("congo=t61rcWkgMzE, rojo=00f067aa0ba902b7");
    expect(seenState).toBe("congo=t61rcWkgMzE,rojo=00f067aa0ba902b7");
    await active.flush();
    expect(collector.spans.filter(({ state }) => state === seenState).map(({ name }) => name)).toContain("GET");
    // What no system writes is not passed on; what is too long is cut at a member.
    await visit('a=1,B,=2,c==3,d="\u0007",e=5');
    expect(seenState).toBe("a=1,e=5");
    await visit("<script>");
    expect(seenState).toBeUndefined();
    await visit(Array.from({ length: 100 }, (_, n) => `k${n}=${n}`).join());
    expect(seenState!.split(",")).toHaveLength(32);
    await visit(Array.from({ length: 30 }, (_, n) => `k${n}=${"v".repeat(100)}`).join());
    expect(seenState!.length).toBeLessThanOrEqual(512);
    expect(seenState).toMatch(/^k0=v{100},k1=/);
  });

  test("is a part of a trace that is passed over, too, and kept with it", async () => {
    await active.stop();
    active = await start({ OTEL_TRACES_SAMPLER: "always_off" });
    const visit = active.within({ name: "visit" }, async () => {
      await (await fetch(`${url}/ask?key=s3cr3t`)).text();
      throw new Bug("STORE_UNREADABLE", "no answer of the store");
    });
    await expect(visit).rejects.toThrow();
    const [kept, call] = [await collected("visit"), await collected("GET")];
    expect(call).toMatchObject({
      trace: kept.trace,
      parent: kept.id,
      kind: "client",
      attributes: { "url.full": `${url}/ask`, "http.response.status_code": 200 },
    });
    expect(seen).toBe(`00-${call.trace}-${call.id}-00`);
    expect(JSON.stringify(call)).not.toContain("s3cr3t");
  });

  test("that is refused is answered: its trace is not kept for that; one that fails is", async () => {
    await active.stop();
    active = await start({ OTEL_TRACES_SAMPLER: "always_off" });
    const visit = (name: string, answer: number) =>
      active.within({ name }, async () =>
        (await fetch(url, { method: "PUT", headers: { "x-answer": `${answer}` } })).text(),
      );
    await visit("declined", 402);
    expect(await collected("declined")).toBeUndefined();
    await visit("failed", 503);
    expect(await collected("failed")).toBeDefined();
    expect(await collected("PUT")).toMatchObject({ hasFailed: true, attributes: { "http.response.status_code": 503 } });
  });

  test("outside of a trace is none", async () => {
    await (await fetch(url)).text();
    expect(await collected("GET")).toBeUndefined();
    expect(seen).toBeUndefined();
  });
});

describe("a collector that does not take spans costs a count, and no work", () => {
  const work = () => {
    for (let n = 0; n < 40; n++) expect(active.within({ name: `work ${n}` }, () => n)).toBe(n);
  };
  // A batch fills at once; three of them find no room.
  const SMALL = {
    OTEL_BSP_MAX_QUEUE_SIZE: "10",
    OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "10",
    OTEL_EXPORTER_OTLP_TIMEOUT: "300",
  };

  test.each(["refuses", "is busy", "hangs"] as const)("one that %s", async mood => {
    await active.stop();
    active = await start(SMALL);
    collector.mood = mood;
    work();
    await until("the counts tell", () => active.counts.exportFailed > 0 && active.counts.queueFull > 0);
    expect(active.counts.exported).toBe(0);
    // It is well again: later spans arrive.
    collector.mood = "takes";
    await until("spans arrive", async () => {
      active.within({ name: "later" }, () => {});
      return (await collected("later")) !== undefined;
    });
  });

  test("one that hangs holds up a stop for less than its own time-out", async () => {
    collector.mood = "hangs";
    active.within({ name: "last" }, () => {});
    await active.stop();
    // Its time-out, of 10 s, is still to come.
    expect(active.counts).toMatchObject({ exported: 0, exportFailed: 0 });
    active = await start({});
  });

  test("one that is away", async () => {
    await active.stop();
    active = await start({ ...SMALL, OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1" });
    work();
    await until("the counts tell", () => active.counts.exportFailed > 0 && active.counts.queueFull > 0);
  });
});
