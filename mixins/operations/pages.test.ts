import { expect, test } from "@jest/globals";
import { pageIn, pageOf, type Entry } from "./pages.ts";

/** Services with entries that are numbered in their order; `at` is the order between services. */
function listsOf(lists: Record<string, number[]>) {
  const asked: number[] = [];
  return {
    lists,
    asked,
    services: Object.keys(lists),
    read: async (service: string, limit: number, after: string | undefined): Promise<Entry[]> => {
      asked.push(limit);
      return lists[service]!.filter(at => after === undefined || at > Number(after))
        .slice(0, limit)
        .map(at => ({ id: String(at), at, service }));
    },
  };
}
const byTime = (a: Entry, b: Entry): number => Number(a["at"]) - Number(b["at"]);

test.each([
  ["in the order of time", byTime],
  ["service by service", undefined],
] as const)("pages over several services neither repeat nor skip while the lists grow: %s", async (_name, sort) => {
  const { lists, asked, services, read } = listsOf({ a: [1, 4, 5, 9], b: [2, 3, 8], c: [] });
  const before = Object.values(lists).flat();
  const seen: string[] = [];
  let cursor: string | undefined;
  for (let n = 0; ; n++) {
    const page = await pageOf({ list: "x", limit: 2, cursor, services, read, ...(sort && { sort }) });
    expect(page.entries.length).toBeLessThanOrEqual(2);
    seen.push(...page.entries.map(({ service, id }) => `${service}${String(id)}`));
    lists["c"]!.push(20 + n);
    cursor = page.nextCursor;
    if (cursor === undefined || n === 20) break;
  }
  expect(new Set(seen).size).toBe(seen.length);
  for (const at of before) expect(seen.some(name => name.slice(1) === String(at))).toBe(true);
  // No page reads more of a service than it may show, however deep it is.
  expect(Math.max(...asked)).toBe(3);
});

test("a service that may look at no more rows goes on behind them, and is not taken to have no more", async () => {
  const rows: Record<string, number[]> = { a: [1, 2, 3, 4, 5, 6, 7, 8], b: [2] };
  // Only the entry 7 of `a` is meant, and it looks at three rows at a time.
  const read = async (service: string, _limit: number, after = "0") => {
    const next = rows[service]!.filter(at => at > Number(after)).slice(0, 3);
    const entries = next.filter(at => service === "b" || at === 7).map(at => ({ id: `${at}`, at, service }));
    return { entries, ...(next.length === 3 && { searchedTo: `${next.at(-1)}` }) };
  };
  const seen: string[][] = [];
  for (let cursor: string | undefined; ;) {
    const page = await pageOf({ list: "x", limit: 2, cursor, services: ["a", "b"], read });
    seen.push(page.entries.map(({ service, id }) => `${service}${String(id)}`));
    cursor = page.nextCursor;
    if (cursor === undefined || seen.length === 9) break;
  }
  expect(seen).toEqual([["b2"], [], ["a7"]]);
});

test("a page of several services ends where its bytes are used up, and the next one goes on there", async () => {
  const { services, read } = listsOf({ a: [1, 2, 3], b: [4, 5] });
  const large = async (service: string, limit: number, after: string | undefined) =>
    (await read(service, limit, after)).map(entry => ({ ...entry, text: "x".repeat(entry["at"] === 3 ? 2_000 : 400) }));
  const seen: string[][] = [];
  for (let cursor: string | undefined; ;) {
    const page = await pageOf({ list: "x", limit: 100, bytesMax: 1_000, cursor, services, read: large });
    seen.push(page.entries.map(({ id }) => String(id)));
    cursor = page.nextCursor;
    if (cursor === undefined || seen.length === 9) break;
  }
  // One that is larger than a page is a page of its own.
  expect(seen).toEqual([["1", "2"], ["3"], ["4", "5"]]);
});

test("the last page has no cursor, also when it is full", async () => {
  const { services, read } = listsOf({ a: [1, 2], b: [3, 4] });
  const first = await pageOf({ list: "x", limit: 2, cursor: undefined, services, read });
  const last = await pageOf({ list: "x", limit: 2, cursor: first.nextCursor, services, read });
  expect(last.entries.map(({ id }) => id)).toEqual(["3", "4"]);
  expect(last.nextCursor).toBeUndefined();
});

test("pages of a whole list neither repeat nor skip while it grows and shrinks, and a cursor is one of its list", () => {
  const entries = ["c 1", "a 2", "b 1", "a 1", "b 2"].map(name => ({ name }));
  const asked = {
    limit: 2,
    key: [({ name }: { name: string }) => name[0]!, ({ name }: { name: string }) => name[2]!],
  };
  const first = pageIn(entries, { ...asked, list: "x", cursor: undefined });
  expect(first.entries.map(({ name }) => name)).toEqual(["a 1", "a 2"]);
  // The last entry that was shown is gone, and others came before and after it.
  const now = [...entries.filter(({ name }) => name !== "a 2"), { name: "a 0" }, { name: "a 3" }];
  const second = pageIn(now, { ...asked, list: "x", cursor: first.nextCursor });
  expect(second.entries.map(({ name }) => name)).toEqual(["a 3", "b 1"]);
  const last = pageIn(now, { ...asked, list: "x", cursor: second.nextCursor });
  expect([last.entries.map(({ name }) => name), last.nextCursor]).toEqual([["b 2", "c 1"], undefined]);
  for (const cursor of ["!", first.nextCursor])
    expect(() => pageIn(now, { ...asked, list: "y", cursor })).toThrow("is not one of this list");
});
