import { expect, test } from "@jest/globals";
import { fold, NEW, type Entry } from "./journal.ts";
import { Patience } from "./patience.ts";

const at = (second: number): string => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
const begun: Entry[] = [{ type: "saga.started", data: { event: {} as never, at: at(0) } }];
const sent = (step: string, second: number): Entry => ({
  type: "saga.sent",
  data: { step, params: [{}, {}], at: at(second) },
});
const state = fold(NEW, [...begun, sent("a", 1)]);

test("counts from the begin of the first try, with the pauses between two", () => {
  const patience = new Patience({ gapMs: 1_000, sagas: 10 });
  expect(patience.failed("s", state, 0, 100)).toMatchObject({ stepMs: 100, vainMs: 100 });
  expect(patience.failed("s", state, 600, 700)).toMatchObject({ stepMs: 700, vainMs: 700 });
});

test("a pause in which nobody can have tried does not count: a paused process, a database that was away", () => {
  const patience = new Patience({ gapMs: 1_000, sagas: 10 });
  patience.failed("s", state, 0, 100);
  expect(patience.failed("s", state, 3_600_000, 3_600_100)).toMatchObject({ stepMs: 1_100, vainMs: 1_100 });
  expect(patience.failed("t", state, 0, 3_600_000)).toMatchObject({ stepMs: 1_000, vainMs: 1_000 });
});

test("progress of one item begins the patience without progress anew, not the step's", () => {
  const patience = new Patience({ gapMs: 1_000, sagas: 10 });
  patience.failed("s", state, 0, 500);
  const half = fold(state, [{ type: "saga.done", data: { step: "a", item: 0, result: {}, at: at(2) } }]);
  expect(patience.failed("s", half, 600, 700)).toMatchObject({ stepMs: 700, vainMs: 100 });
});

const answers: Entry[] = [0, 1].map(item => ({ type: "saga.done", data: { step: "a", item, result: {}, at: at(2) } }));
const changes: [string, Entry[]][] = [
  ["the next step", [...answers, sent("b", 2)]],
  ["a turn back", [{ type: "saga.compensating", data: { failure: { type: "NO", message: "", step: "" }, at: at(2) } }]],
  ["an operator's retry", [{ type: "saga.retried", data: { by: "ann", at: at(2) } }]],
];
test.each(changes)("%s begins both anew", (_, entries) => {
  const patience = new Patience({ gapMs: 1_000, sagas: 10 });
  patience.failed("s", state, 0, 500);
  expect(patience.failed("s", fold(state, entries), 600, 700)).toMatchObject({ stepMs: 100, vainMs: 100 });
});

test("a note is no progress, and what is forgotten begins anew", () => {
  const patience = new Patience({ gapMs: 1_000, sagas: 10 });
  patience.failed("s", state, 0, 500);
  const noted = fold(state, [{ type: "saga.noted", data: { by: "ann" } }]);
  expect(patience.failed("s", noted, 600, 700)).toMatchObject({ stepMs: 700, vainMs: 700 });
  patience.forget("s");
  expect(patience.failed("s", noted, 800, 900)).toMatchObject({ stepMs: 100, vainMs: 100 });
});

test("remembers as many as its limit says", () => {
  const patience = new Patience({ gapMs: 1_000, sagas: 1 });
  patience.failed("s", state, 0, 500);
  patience.failed("t", state, 0, 500);
  expect(patience.failed("s", state, 600, 700)).toMatchObject({ stepMs: 100 });
});
