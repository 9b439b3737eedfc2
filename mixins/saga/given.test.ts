import { expect, test } from "@jest/globals";
import { Fulfilment } from "./fulfilment.fixture.ts";
import { defineSaga, done, given, started } from "./index.ts";

const wish = started("wish.made", { lines: [{ shelf: "bolts", quantity: 2 }], card: "good" });
const taken = done("take", {});
const bolts = { id: "bolts", wish: "actor-1", quantity: 2 };

test("a step's deadline of two seconds passes in a moment", () => {
  const saga = given(Fulfilment, wish, taken);
  saga.afterTrouble({ seconds: 1 }).calls("outside.charge", { wish: "actor-1", card: "good" });
  saga.afterTrouble({ seconds: 2 }).compensates("outside.reverse", { wish: "actor-1", card: "good" });
});

test("time in which no node tried does not count", () => {
  const tried = given(Fulfilment, wish, taken).afterTrouble({ hours: 8 }, { awakeMs: 1_000 });
  tried.calls("outside.charge", { wish: "actor-1", card: "good" });
});

test("the past happened at the instant that is set", () => {
  const seen: string[] = [];
  const Dated = defineSaga("dated", {
    startedBy: "wish.made",
    otherwise: ["wishes.fail", ({ event }) => ({ id: event.stream, reason: "" })],
  }).step("take", "shelves.take", ({ event }) => {
    seen.push(event.at);
    return bolts;
  });
  given(Dated, wish).at("2026-03-01T12:00:00Z").calls("shelves.take", bolts);
  expect(seen.at(-1)).toBe("2026-03-01T12:00:00.000Z");
  expect(() => given(Dated, wish).at("noon")).toThrow();
});
