import { describe, expect, test } from "@jest/globals";
import { defineMetrics, readEnvironment } from "../kernel/index.ts";
import { Meters, metersOf, reading, type Family } from "./meters.ts";
import { processMetrics } from "./metrics.ts";
import { scrape } from "./scrape.ts";
import { textOf } from "./text.ts";

const metrics = defineMetrics("Loans", {
  loans: {
    type: "counter",
    name: "valence_loans_total",
    help: "Loans",
    labels: { branch: "branches", outcome: ["ok", "refused"] },
    seriesMax: 10,
  },
  open: { type: "gauge", name: "valence_loans_open", help: "Open loans", over: "max" },
  seconds: {
    type: "histogram",
    name: "valence_loan_seconds",
    help: "Time of a loan",
    labels: { branch: "branches" },
    buckets: [0.1, 1],
  },
});

const broker = (env: Record<string, string>) => ({ options: { valence: readEnvironment(env) } });
const familyIn = (families: readonly Family[], { name }: { name: string }) => families.find(one => one.name === name);
const values = async (meters: Meters, metric: { name: string }) =>
  familyIn(await meters.families(), metric)?.values.map(({ labels, value }) => [labels, value]);
const errors = async (meters: Meters) => (await values(meters, processMetrics.scrapeErrors))?.[0]?.[1];

test("a broker has one set of meters, and none with METRICS=off", () => {
  const on = broker({});
  expect(metersOf(on)).toBe(metersOf(on));
  expect(metersOf(broker({ METRICS: "off" }))).toBeUndefined();
});

test("a series is asked for once and counted in", async () => {
  const meters = new Meters();
  const series = meters.counter(metrics.loans, { branch: "north", outcome: "ok" });
  expect(meters.counter(metrics.loans, { outcome: "ok", branch: "north" })).toBe(series);
  series.add();
  series.add(2);
  expect(await values(meters, metrics.loans)).toEqual([[{ branch: "north", outcome: "ok" }, 3]]);
});

test("a counter begins at 0, with each value that its labels list, and keeps what was counted", async () => {
  const meters = new Meters();
  const [ok, ...others] = metrics.loans.labels.outcome;
  meters.counter(metrics.loans, { branch: "north", outcome: ok }).add();
  meters.begin(metrics.loans, { branch: "north" });
  meters.begin(metrics.loans, { branch: "south", outcome: ok });
  expect(await values(meters, metrics.loans)).toEqual([
    [{ branch: "north", outcome: ok }, 1],
    ...others.map(outcome => [{ branch: "north", outcome }, 0]),
    [{ branch: "south", outcome: ok }, 0],
  ]);
});

test("10,000 values of a label are as many series as the metric may have, and the rest counts as other", async () => {
  const meters = new Meters();
  for (let i = 0; i < 10_000; i++) meters.counter(metrics.loans, { branch: `branch ${i}`, outcome: "ok" }).add();
  meters.counter(metrics.loans, { branch: "south", outcome: `made up ${"x".repeat(10_000)}` as "ok" }).add();
  const found = (await values(meters, metrics.loans))!;
  // Ten, and one more for each outcome.
  expect(found).toHaveLength(12);
  expect(found).toContainEqual([{ branch: "other", outcome: "ok" }, 9_990]);
  expect(found).toContainEqual([{ branch: "other", outcome: "other" }, 1]);
  expect(await values(meters, processMetrics.overflow)).toEqual([[{}, 9_991]]);
});

test("so are those that are read", async () => {
  const meters = new Meters();
  const read = Array.from({ length: 1_000 }, (_, i) => reading(metrics.loans, i, { branch: `${i}`, outcome: "ok" }));
  meters.read("loans", () => read);
  expect(await values(meters, metrics.loans)).toHaveLength(10);
});

describe("what is read at a scrape", () => {
  test("is kept for as long as it says", async () => {
    const meters = new Meters();
    let reads = 0;
    meters.read("loans", async () => [reading(metrics.open, ++reads)], { keptMs: 60_000 });
    await meters.families();
    expect(await values(meters, metrics.open)).toEqual([[{}, 1]]);
    expect(familyIn(await meters.families({ fresh: true }), metrics.open)!.values[0]!.value).toBe(2);
  });

  test("is missing when it fails, which is counted, and is there again", async () => {
    const meters = new Meters();
    let isAway = true;
    const end = meters.read("loans", () => {
      if (isAway) throw new Error("the database is away");
      return [reading(metrics.open, 7)];
    });
    expect(await errors(meters)).toBe(1);
    expect(await values(meters, metrics.open)).toBeUndefined();
    isAway = false;
    expect(await values(meters, metrics.open)).toEqual([[{}, 7]]);
    end();
    expect(await values(meters, metrics.open)).toBeUndefined();
  });

  test("is missing when it hangs, and is not asked for again meanwhile", async () => {
    const meters = new Meters();
    let reads = 0;
    const hanging = (): Promise<never> => {
      reads++;
      return new Promise(() => {});
    };
    meters.read("loans", hanging, { readMs: 5 });
    meters.read("other loans", () => [reading(metrics.open, 3)]);
    await meters.families();
    expect(await values(meters, metrics.open)).toEqual([[{}, 3]]);
    expect([reads, await errors(meters)]).toEqual([1, 3]);
  });
});

test("scrapes at once are one", async () => {
  const at = broker({});
  let reads = 0;
  metersOf(at)!.read("loans", async () => [reading(metrics.open, ++reads)]);
  const [first, second] = await Promise.all([scrape(at, undefined), scrape(at, "application/openmetrics-text")]);
  expect(reads).toBe(1);
  for (const { text } of [first!, second!]) expect(text).toContain("valence_loans_open 1\n");
  expect(await scrape(broker({ METRICS: "off" }), undefined)).toBeUndefined();
});

describe("the text", () => {
  const meters = new Meters();
  const span = `00-${"a".repeat(32)}-${"b".repeat(16)}`;
  const seconds = meters.histogram(metrics.seconds, { branch: 'north "1"\n' });
  seconds.observe(0.05);
  seconds.observe(0.1, `${span}-01`);
  seconds.observe(0.5, `${span}-00`);
  seconds.observe(7);
  meters.counter(metrics.loans, { branch: "north", outcome: "ok" }).add();

  test("is Prometheus' own, with escaped labels and cumulative buckets", async () => {
    const { type, text } = await textOf(await meters.families());
    expect(type).toMatch(/^text\/plain; version=0.0.4/);
    const labels = String.raw`branch="north \"1\"\n"`;
    expect(text).toContain("# HELP valence_loan_seconds Time of a loan\n# TYPE valence_loan_seconds histogram\n");
    const buckets = { "0.1": 2, "1": 3, "+Inf": 4 };
    const lines = Object.entries(buckets).map(([le, n]) => `valence_loan_seconds_bucket{${labels},le="${le}"} ${n}`);
    for (const line of lines) expect(text).toContain(`${line}\n`);
    expect(text).toMatch(/^valence_loan_seconds_count\{.*\} 4$/m);
    expect(text).toContain('valence_loans_total{branch="north",outcome="ok"} 1\n');
    expect(text).not.toContain("trace_id");
  });

  test("is OpenMetrics for a client that takes it, with the traces that are kept", async () => {
    const accept = "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;q=0.5";
    const { type, text } = await textOf(await meters.families(), accept);
    expect(type).toMatch(/^application\/openmetrics-text/);
    expect(text).toMatch(/_bucket\{.*le="0.1"\} 2 # \{trace_id="a{32}",span_id="b{16}"\} 0.1 \d+/);
    expect(text.match(/trace_id/g)).toHaveLength(1);
    expect(text).toContain('# TYPE valence_loans counter\nvalence_loans_total{branch="north",outcome="ok"} 1\n');
    expect(text).toMatch(/# EOF\n$/);
    // A scrape in one form leaves the names of the other as they are.
    expect((await textOf(await meters.families())).text).toContain("# TYPE valence_loans_total counter\n");
  });
});
