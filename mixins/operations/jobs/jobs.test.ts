import { afterEach, expect, jest, test } from "@jest/globals";
import { Refusal, Unavailable } from "../../kernel/index.ts";
import { until } from "../../testing/index.ts";
import { Jobs, limits, type Order, type Part } from "./jobs.ts";

afterEach(() => void jest.restoreAllMocks());

const order = (part: Order["part"], services = ["trips"]): Order => ({
  operation: "retrySagas",
  by: "ann",
  note: "the printer is back",
  filter: { reason: "OUT_OF_PRINT" },
  total: 5,
  services,
  part,
});
const ended = (jobs: Jobs, id: string) =>
  until(() => {
    const job = jobs.find(id);
    return job?.state === "running" ? undefined : job;
  });

test("a job goes on part by part, behind what it came to, through every service", async () => {
  const asked: unknown[] = [];
  const parts: Part[] = [
    { sagas: 2, refused: [{ type: "PAST", sagas: 1, ids: ["t3"] }], hasMore: true, nextAfter: "t3" },
    { sagas: 1, refused: [{ type: "PAST", sagas: 1, ids: ["t5"] }], hasMore: false },
    { sagas: 0, refused: [], hasMore: false },
  ];
  const jobs = new Jobs("n1");
  const part = async (...of: [string, string | undefined]): Promise<Part> => (asked.push(of), parts.shift()!);
  const begun = jobs.start(order(part, ["trips", "tours"]));
  expect(begun).toMatchObject({ state: "running", node: "n1", by: "ann", total: 5, done: 0 });
  const job = await ended(jobs, begun.id);
  expect(job).toMatchObject({ state: "done", done: 5, sentOn: 3, endedAt: expect.any(String) });
  expect(job.refused).toEqual([{ type: "PAST", sagas: 2, ids: ["t3", "t5"] }]);
  expect(asked).toEqual([
    ["trips", undefined],
    ["trips", "t3"],
    ["tours", undefined],
  ]);
  expect(jobs.list()).toEqual([job]);
});

test("a part that fails is tried again, a refusal ends the job and says why", async () => {
  jest.replaceProperty(limits, "againMs", 1 as never);
  const outcomes = [new Unavailable("AWAY"), { sagas: 1, refused: [], hasMore: false } satisfies Part];
  const part = async (): Promise<Part> => {
    const next = outcomes.shift()!;
    if (next instanceof Error) throw next;
    return next;
  };
  const jobs = new Jobs("n1");
  const mended = await ended(jobs, jobs.start(order(part)).id);
  expect(mended).toMatchObject({ state: "done", sentOn: 1 });
  expect(mended).not.toHaveProperty("trouble");
  const refuse = async (): Promise<Part> => {
    throw new Refusal("FORBIDDEN", { message: "no more" });
  };
  expect(await ended(jobs, jobs.start(order(refuse)).id)).toMatchObject({
    state: "failed",
    trouble: "FORBIDDEN: no more",
  });
  const away = async (): Promise<Part> => {
    throw new Unavailable("AWAY");
  };
  expect(await ended(jobs, jobs.start(order(away)).id)).toMatchObject({ state: "failed", trouble: "AWAY: away" });
});

test("a job that is stopped ends after its part; a node works on so many at once, and ends them when it stops", async () => {
  const jobs = new Jobs("n1");
  const gate = Promise.withResolvers<Part>();
  const begun = Array.from({ length: limits.running }, () => jobs.start(order(() => gate.promise)));
  expect(() => jobs.start(order(() => gate.promise))).toThrow(expect.objectContaining({ type: "TOO_MANY_JOBS" }));
  expect(jobs.stop(begun[0]!.id, "bob")).toMatchObject({ state: "stopped", stoppedBy: "bob" });
  expect(jobs.stop("none", "bob")).toBeUndefined();
  const closed = jobs.close();
  gate.resolve({ sagas: 1, refused: [], hasMore: true, nextAfter: "t1" });
  await closed;
  expect(jobs.list().map(({ state, sentOn }) => [state, sentOn])).toEqual(
    Array.from({ length: limits.running }, () => ["stopped", 1]),
  );
});

test("the last jobs are remembered", async () => {
  const jobs = new Jobs("n1");
  for (let n = 0; n <= limits.remembered; n++) {
    const { id } = jobs.start(order(async () => ({ sagas: n, refused: [], hasMore: false })));
    await ended(jobs, id);
  }
  expect(jobs.list()).toHaveLength(limits.remembered);
  expect(jobs.list().at(-1)).toMatchObject({ sentOn: 1 });
});
