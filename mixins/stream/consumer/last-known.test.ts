import { expect, test } from "@jest/globals";
import { LastKnown } from "./last-known.ts";
import type { ConsumerStatus } from "./status.ts";

const WAIT_MS = 20;
const standing: ConsumerStatus = {
  name: "shelf",
  state: "following",
  lagEvents: 0,
  lagMs: 0,
  events: 7,
  parkedStreams: 0,
  retryingStreams: 0,
  sources: ["loans"],
};

/** A consumer of one log, which has been read once. */
async function readOnce() {
  const known = new LastKnown(WAIT_MS);
  const log = { events: 7 as number | null };
  const lagOf = async (_source: string, cursor: string) => (log.events === null ? null : log.events - Number(cursor));
  const ask = (read: (status: ConsumerStatus) => Promise<ConsumerStatus>) =>
    known.statusOf("shelf", lagOf, async lagOf => read({ ...standing, lagEvents: await lagOf("loans", "7") }));
  await ask(async status => status);
  return { ask, known, log };
}

test.each([
  ["refuses", () => Promise.reject(new Error("the database is away"))],
  ["does not answer", () => new Promise<never>(() => {})],
])("while its database %s, a consumer's lag grows with the log", async (_, read) => {
  const { ask, log } = await readOnce();
  expect(await ask(read)).toEqual(standing);
  log.events = 12;
  expect(await ask(read)).toMatchObject({ state: "following", events: 7, lagEvents: 5 });
  expect((await ask(read)).lagMs).toBeGreaterThan(0);
  log.events = null;
  expect(await ask(read)).toMatchObject({ lagEvents: null });
  log.events = 7;
  expect(await ask(async status => ({ ...status, events: 8 }))).toMatchObject({ events: 8, lagEvents: 0 });
});

test("a consumer that was never read, or is gone, has no last status", async () => {
  const { ask, known } = await readOnce();
  known.forget("shelf");
  await expect(ask(() => Promise.reject(new Error("the database is away")))).rejects.toThrow("the database is away");
});

test("while its database is away a consumer's partitions are unknown, and add nothing to its lag", async () => {
  const { ask, known, log } = await readOnce();
  const lagOf = async (_source: string, cursor: string) => 7 - Number(cursor);
  await known.statusOf("shelf", lagOf, async lagOf => ({
    ...standing,
    lagEvents: await lagOf("loans", "7"),
    partitions: [{ partition: 0, owner: "node-1", lagEvents: await lagOf("loans", "3") }],
  }));
  log.events = 12;
  const status = await ask(() => Promise.reject(new Error("the database is away")));
  expect(status).toMatchObject({ lagEvents: 5 });
  expect(status).not.toHaveProperty("partitions");
});
