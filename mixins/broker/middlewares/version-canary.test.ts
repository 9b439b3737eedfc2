import { expect, test } from "@jest/globals";
import type { ServiceBroker } from "moleculer";
import { versionCanary } from "./version-canary.ts";

const ids = Array.from({ length: 1_000 }, (_, n) => `loan-${n}`);

/** The action that a call reaches, on a broker that knows these. */
async function reached(
  percent: number,
  action: string,
  params: unknown,
  known: readonly string[] = [],
): Promise<string> {
  const broker = { registry: { actions: { isAvailable: (name: string) => known.includes(name) } } };
  const { call } = versionCanary({ service: "loans", version: 2, percent });
  return (await call.call(broker as unknown as ServiceBroker, async name => name)(action, params)) as string;
}
const tried = async (percent: number): Promise<string[]> => {
  const found = await Promise.all(ids.map(id => reached(percent, "loans.make", { id }, ["v2.loans.make"])));
  return ids.filter((_, n) => found[n] === "v2.loans.make");
};

test("a larger share has all actors of a smaller one, and its size is what was asked for", async () => {
  const [none, tenth, fifth, all] = await Promise.all([0, 10, 20, 100].map(tried));
  expect([none, all]).toEqual([[], ids]);
  expect(fifth).toEqual(expect.arrayContaining(tenth!));
  expect(tenth!.length / ids.length).toBeCloseTo(0.1, 1);
});

test("calls of other services, calls without an actor, and actions that the version has not stay", async () => {
  expect(await reached(100, "books.lend", { id: "a" }, ["v2.books.lend"])).toBe("books.lend");
  expect(await reached(100, "loans.readLog", { limit: 1 }, ["v2.loans.readLog"])).toBe("loans.readLog");
  expect(await reached(100, "loans.readLog", undefined, ["v2.loans.readLog"])).toBe("loans.readLog");
  expect(await reached(100, "loans.end", { id: "a" })).toBe("loans.end");
});

test("a percentage out of bounds is refused", () => {
  for (const percent of [-1, 101, Number.NaN])
    expect(() => versionCanary({ service: "loans", version: 2, percent })).toThrow(RangeError);
});
