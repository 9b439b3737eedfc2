import { expect, test } from "@jest/globals";
import type { EventStore, OpenSaga } from "../event-store/index.ts";
import { countSagas, findSagas } from "./find.ts";

const row = (n: number, state: OpenSaga["state"], reason: string | null, saga = "borrowing"): OpenSaga => ({
  id: `${saga}.${String(n).padStart(3, "0")}`,
  state,
  reason,
  startedAt: new Date(n * 1_000).toISOString(),
  updatedAt: new Date(n * 1_000).toISOString(),
});

/** A store with these rows, in the order of their starts, at second 100; `asked` holds the limits of its pages. */
function storeWith(rows: readonly OpenSaga[]) {
  const asked: number[] = [];
  const sagas: EventStore["sagas"] = async ({ limit, after }) => {
    asked.push(limit);
    const from = after === undefined ? 0 : rows.findIndex(({ id }) => id === after) + 1;
    return rows.slice(from, from + limit);
  };
  return { asked, store: { sagas, now: async () => 100_000 } as unknown as EventStore };
}
const search = { limit: 10, rows: 2, searched: 100 };
const idsOf = ({ sagas }: { sagas: readonly { id: string }[] }) => sagas.map(({ id }) => id);

test("a reason's code is the type of the error; of a running saga it is the step", async () => {
  const { store } = storeWith([
    row(1, "stuck", "send: NO_SUCH_ADDRESS: no such address"),
    row(2, "stuck", "no progress for 500 ms; last: send: LOST: LOST"),
    row(3, "compensating", "CARD_DECLINED: card declined"),
    row(4, "stuck", "step wrap was done, but borrowing no longer has it"),
    row(5, "running", "charge"),
    row(6, "stuck", "cannot undo: take: E2BIG: too much"),
  ]);
  const { sagas } = await findSagas(store, {}, search);
  expect(sagas.map(({ code }) => code)).toEqual([
    "NO_SUCH_ADDRESS",
    "LOST",
    "CARD_DECLINED",
    "OTHER",
    "charge",
    "E2BIG",
  ]);
});

test("sagas are found by name, reason and age, page by page of the store", async () => {
  const rows = Array.from({ length: 9 }, (_, n) =>
    row(n, "stuck", n % 3 === 0 ? "send: LOST: lost" : "send: LATE: late", n % 2 === 0 ? "borrowing" : "returns"),
  );
  const { store } = storeWith(rows);
  expect(idsOf(await findSagas(store, { name: "returns" }, search))).toEqual([1, 3, 5, 7].map(n => `returns.00${n}`));
  expect(idsOf(await findSagas(store, { reason: "LOST", name: "borrowing" }, search))).toEqual([
    "borrowing.000",
    "borrowing.006",
  ]);
  // At second 100 those that began at second 2 are 98 seconds old.
  expect(idsOf(await findSagas(store, { olderThanMs: 98_000 }, search))).toEqual([
    "borrowing.000",
    "returns.001",
    "borrowing.002",
  ]);
});

test("a search looks at no more rows than it may, and goes on where it was", async () => {
  const rows = Array.from({ length: 9 }, (_, n) => row(n, "stuck", n === 8 ? "send: LOST: lost" : "send: LATE: late"));
  const { store, asked } = storeWith(rows);
  const first = await findSagas(store, { reason: "LOST" }, { ...search, searched: 4 });
  expect(first).toEqual({ sagas: [], searchedTo: "borrowing.003" });
  expect(asked).toEqual([2, 2]);
  const second = await findSagas(store, { reason: "LOST" }, { ...search, searched: 6, after: first.searchedTo });
  expect(idsOf(second)).toEqual(["borrowing.008"]);
  // A page that is not narrowed asks the store for no more than it shows.
  asked.length = 0;
  await findSagas(store, {}, { ...search, limit: 1 });
  expect(asked).toEqual([1]);
});

test("counts are by state, name and reason, the most first, and say when they are of a part", async () => {
  const rows = [
    row(1, "stuck", "send: LOST: lost"),
    row(2, "running", "charge"),
    row(3, "running", "charge"),
    row(4, "running", "charge", "returns"),
  ];
  const { store } = storeWith(rows);
  const { counts, isPartial } = await countSagas(store, {}, { rows: 2, searched: 100 });
  expect(counts.map(({ state, saga, reason, sagas }) => [state, saga, reason, sagas])).toEqual([
    ["running", "borrowing", "charge", 2],
    ["stuck", "borrowing", "LOST", 1],
    ["running", "returns", "charge", 1],
  ]);
  expect(counts[0]).toMatchObject({
    oldestStartedAt: rows[1]!.startedAt,
    newestId: rows[2]!.id,
    newestAt: rows[2]!.updatedAt,
  });
  expect(isPartial).toBe(false);
  expect(await countSagas(store, {}, { rows: 2, searched: 2 })).toMatchObject({ isPartial: true });
});
