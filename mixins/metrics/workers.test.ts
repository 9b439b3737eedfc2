import { expect, jest, test } from "@jest/globals";
import { readEnvironment } from "../kernel/index.ts";
import { limits } from "./limits.ts";
import { familyOf, type Family } from "./meters.ts";
import { processMetrics } from "./metrics.ts";
import { scrape, tellSupervisor } from "./scrape.ts";
import { WorkerMetrics } from "./workers.ts";

const counter = { type: "counter", name: "valence_loans_total", help: "Loans" } as const;
const gauge = { type: "gauge", name: "valence_loans_open", help: "Open loans" } as const;
const whole = { type: "gauge", name: "valence_loans_late", help: "Late loans", over: "max" } as const;
const families = (loans: number, open: number, late: number): Family[] =>
  (
    [
      [counter, loans],
      [gauge, open],
      [whole, late],
    ] as const
  ).map(([metric, value]) => familyOf(metric, [{ labels: {}, value }]));

/** A supervisor, and what each of its workers would answer; undefined: nothing. */
function supervised(answers: Record<number, Family[] | undefined>) {
  const metrics = new WorkerMetrics(20);
  const all = async (): Promise<Record<string, number>> => {
    const found = await metrics.all(Object.keys(answers).map(Number), (worker, number) => {
      const answer = answers[worker];
      if (answer) queueMicrotask(() => metrics.answered(worker, number, answer));
    });
    return Object.fromEntries(found.map(({ name, values }) => [name, values[0]!.value]));
  };
  return { metrics, all, answers };
}

test("counters and gauges are added up; what each worker tells of the same database is not", async () => {
  const { all } = supervised({ 1: families(3, 2, 5), 2: families(4, 1, 5) });
  expect(await all()).toMatchObject({
    [counter.name]: 7,
    [gauge.name]: 3,
    [whole.name]: 5,
    [processMetrics.workers.name]: 2,
    [processMetrics.workersDied.name]: 0,
    [processMetrics.scrapeErrors.name]: 0,
  });
});

test("a counter does not go down when a worker dies, and what it measured ends with it", async () => {
  const { metrics, all, answers } = supervised({ 1: families(3, 2, 5), 2: families(4, 1, 6) });
  await all();
  delete answers[2];
  await metrics.ended(2, true);
  expect(await all()).toMatchObject({ [counter.name]: 7, [gauge.name]: 2, [whole.name]: 5 });
  answers[3] = families(1, 1, 5);
  delete answers[1];
  await metrics.ended(1, true);
  expect(await all()).toMatchObject({ [counter.name]: 8, [gauge.name]: 1, [processMetrics.workersDied.name]: 2 });
});

test("a worker that does not answer in time is an error, and its counts stay", async () => {
  const { all, answers } = supervised({ 1: families(3, 2, 5), 2: families(4, 1, 5) });
  await all();
  answers[2] = undefined;
  expect(await all()).toMatchObject({
    [counter.name]: 7,
    [gauge.name]: 2,
    [processMetrics.scrapeErrors.name]: 1,
  });
});

test("scrapes that come at once ask each worker once", async () => {
  const metrics = new WorkerMetrics(1_000);
  let asked = 0;
  const ask = (worker: number, number: number): void => {
    asked++;
    queueMicrotask(() => metrics.answered(worker, number, families(1, 1, 1)));
  };
  await Promise.all([metrics.all([1], ask), metrics.all([1], ask)]);
  expect(asked).toBe(1);
});

test("a worker whose supervisor does not answer tells nothing: its own counters are lower than those of all", async () => {
  const broker = { options: { valence: readEnvironment({}) } };
  const before = Object.getOwnPropertyDescriptors(process);
  const asked: object[] = [];
  Object.defineProperties(process, {
    send: { value: (message: object) => asked.push(message), configurable: true, writable: true },
    connected: { value: true, configurable: true, writable: true },
  });
  const end = tellSupervisor(broker);
  jest.useFakeTimers();
  try {
    const answer = scrape(broker, undefined);
    const refused = expect(answer).rejects.toMatchObject({ type: "METRICS_INCOMPLETE", retryable: true });
    await jest.advanceTimersByTimeAsync(limits.workersMs + limits.supervisorMs);
    await refused;
    expect(asked).toEqual([{ wantsMetrics: expect.any(Number) }]);
  } finally {
    jest.useRealTimers();
    end();
    for (const name of ["send", "connected"] as const)
      if (before[name]) Object.defineProperty(process, name, before[name]);
      else Reflect.deleteProperty(process, name);
  }
});
