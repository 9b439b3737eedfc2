import { expect, test } from "@jest/globals";
import { detailOf, type SagaDetail } from "./detail.ts";
import { Fulfilment } from "./fulfilment.fixture.ts";
import { fold, NEW, type Entry } from "./journal.ts";
import { SAGA_LIMITS } from "./limits.ts";

const can: SagaDetail["can"] = { retry: { isPossible: true }, compensate: { isPossible: true } };
const lines = [
  { shelf: "bolts", quantity: 2 },
  { shelf: "nuts", quantity: 3 },
];
const second = (n: number): string => `2026-01-01T00:00:0${n}.000Z`;

/** The detail of a saga with these entries, a second apart. */
function detail(...entries: readonly (readonly [type: Entry["type"], data: object])[]): SagaDetail {
  const event = { eventId: "e1", type: "wish.made", actor: "wish", stream: "w1", version: 1, at: second(0) };
  const started = ["saga.started", { event: { ...event, data: { lines, card: "good" }, metadata: {} } }] as const;
  const all = [started, ...entries].map(([type, data], n) => ({ type, data: { ...data, at: second(n) } }) as Entry);
  return detailOf({
    saga: Fulfilment,
    key: "fulfilment.w1",
    state: fold(NEW, all),
    timeline: all.map(({ type, data }, n) => ({ type, data, version: n + 1, at: second(n), metadata: {} }) as never),
    actorOf: action => (action.startsWith("shelves.") ? "shelf" : undefined),
    limits: SAGA_LIMITS,
    can,
  });
}
const params = lines.map(({ shelf: id, quantity }) => ({ id, wish: "w1", quantity }));
const sent = ["saga.sent", { step: "take", action: "shelves.take", params }] as const;
const done = (item: number) => ["saga.done", { step: "take", item, result: { left: item } }] as const;
const charge = { step: "charge", item: 0 };
const charging = ["saga.sent", { step: "charge", action: "outside.charge", params: [{ wish: "w1" }] }] as const;
const failure = { type: "CARD_DECLINED", message: "declined", step: "charge" };
const back = [["saga.refused", { ...charge, failure }] as const, ["saga.compensating", { failure }] as const];
const lane = (steps: SagaDetail["lanes"]["back"]) =>
  steps.map(({ step, action, status, calls, done: n }) => [step, action, status, calls, n]);

test("the lane forward has every step of the definition, with how far it is", () => {
  const { lanes, about } = detail(sent, done(0));
  expect(about).toEqual({ type: "wish", id: "w1" });
  expect(lane(lanes.forward)).toEqual([
    ["take", "shelves.take", "sent", 2, 1],
    ["charge", "outside.charge", "waiting", 0, 0],
    ["book", "wishes.book", "waiting", 0, 0],
    ["send", "outside.send", "waiting", 0, 0],
  ]);
  expect(lanes.forward.map(({ isPivot = false }) => isPivot)).toEqual([false, false, true, false]);
  expect(lanes.back).toEqual([]);
});

test("a call has what was sent and what was answered", () => {
  const { steps } = detail(sent, done(0));
  expect(steps).toEqual([
    expect.objectContaining({ item: 0, params: params[0], result: { left: 0 }, sentAt: second(1), endedAt: second(2) }),
    expect.objectContaining({ item: 1, params: params[1], status: "sent" }),
  ]);
  expect(steps[1]).not.toHaveProperty("result");
});

test("the lane back begins with the last step that has something to undo, and ends with the last word", () => {
  const { lanes, steps } = detail(sent, done(0), done(1), charging, ...back, [
    "saga.undone",
    { step: "take", item: 1 },
  ]);
  expect(lane(lanes.forward).slice(0, 3)).toEqual([
    ["take", "shelves.take", "done", 2, 2],
    ["charge", "outside.charge", "refused", 1, 0],
    ["book", "wishes.book", "waiting", 0, 0],
  ]);
  // What was refused has done nothing.
  expect(lane(lanes.back)).toEqual([
    ["take", "shelves.giveBack", "waiting", 2, 1],
    ["otherwise", "wishes.fail", "waiting", 0, 0],
  ]);
  // A call that was taken back was done before: both times are told.
  expect(steps[1]).toMatchObject({
    status: "undone",
    endedAt: second(3),
    undo: { action: "shelves.giveBack", status: "done", params: params[1], endedAt: second(7) },
  });
  expect(steps[0]!.undo).toEqual({ action: "shelves.giveBack", status: "open", params: params[0] });
  expect(steps[2]).toMatchObject({ step: "charge", error: { type: "CARD_DECLINED" } });
  expect(steps[2]).not.toHaveProperty("undo");
});

test("an undo that is refused says why", () => {
  const full = { type: "SHELF_FULL", message: "no room", step: "take" };
  const { lanes, steps } = detail(sent, done(0), done(1), charging, ...back, [
    "saga.undo_refused",
    { step: "take", item: 0, failure: full },
  ]);
  expect(lanes.back[0]).toMatchObject({ step: "take", status: "refused" });
  expect(steps[0]!.undo).toMatchObject({ status: "refused", error: { type: "SHELF_FULL", message: "no room" } });
});
