import { expect, test } from "@jest/globals";
import { TOPICS, type Topic } from "./contract.ts";
import { Topics, type Looks, type Seen } from "./topics.ts";

function looking(look: (topic: Topic) => Promise<Seen | undefined>) {
  const clock = { at: 0, now: () => clock.at, monotonic: () => clock.at };
  const looks = Object.fromEntries(
    TOPICS.map(topic => [topic, { everyMs: 1_000, look: () => look(topic) }] as const),
  ) as Record<Topic, Looks>;
  return { clock, topics: new Topics({ looks, editionOf: of => JSON.stringify(of), clock, logger: { debug() {} } }) };
}

test("a look is shared by all who ask together, and kept for its time", async () => {
  let looks = 0;
  const { clock, topics } = looking(async () => ({ count: ++looks, of: [looks] }));
  const first = { hints: [{ topic: "sagas", count: 1, edition: "[1]" }], silent: [] };
  expect(await Promise.all([topics.hints(["sagas"]), topics.hints(["sagas"])])).toEqual([first, first]);
  clock.at = 999;
  expect(await topics.hints(["sagas"])).toEqual(first);
  clock.at = 1_000;
  expect((await topics.hints(["sagas"])).hints).toEqual([{ topic: "sagas", count: 2, edition: "[2]" }]);
});

test("a look that takes long is made less often", async () => {
  let looks = 0;
  const { clock, topics } = looking(async () => {
    clock.at += 500;
    return { count: ++looks, of: 0 };
  });
  await topics.hints(["letters"]);
  clock.at += 9_999;
  expect((await topics.hints(["letters"])).hints[0]!.count).toBe(1);
  clock.at += 1;
  expect((await topics.hints(["letters"])).hints[0]!.count).toBe(2);
});

test("a topic that cannot be looked at is silent, and one that there is not, is left out", async () => {
  const { topics } = looking(async topic => {
    if (topic === "sagas") throw new Error("away");
    return topic === "activity" ? undefined : { count: 0, of: 0 };
  });
  expect(await topics.hints(["sagas", "activity", "nodes"])).toEqual({
    hints: [{ topic: "nodes", count: 0, edition: "0" }],
    silent: ["sagas"],
  });
});
