import { expect, test } from "@jest/globals";
import { Booking, contract } from "./booking.fixture.ts";
import { defineActor, given } from "./index.ts";

const { event } = contract;
const noon = "2026-01-01T12:00:00Z";
const held = event("booking.held", { at: "2026-01-01T12:00:00.000Z" });
const expired = event("booking.expired", { at: "2026-01-01T12:15:00.000Z" });
const expiry = { set: "expiry", afterMs: 900_000, command: "expire", params: {} } as const;

test("a timer fires at its instant, and its command is decided then", () => {
  const hold = given(Booking).at(noon).when("hold", {});
  hold.yields(held);
  hold.waits({ expiry: "2026-01-01T12:15:00Z" });
  hold.after({ minutes: 14, seconds: 59 }).firesNothing();
  hold.after({ minutes: 15 }).fires("expire", expired);
  hold.after({ hours: 3 }).fires("expire", expired);
  hold.after({ minutes: 15 }).becomes({ status: "free" });
  hold.after({ minutes: 15 }).waits({});
});

test("a timer that was cancelled does not fire", () => {
  const confirmed = given(Booking).at(noon).when("hold", {}).after({ minutes: 10 }).when("confirm", {});
  confirmed.waits({ reminder: "2026-01-02T12:10:00Z" });
  confirmed.after({ minutes: 15 }).firesNothing();
  confirmed.after({ days: 1 }).fires("remind", event("booking.reminded", {}));
});

test("time adds up over several steps, and a timer that is set again moves", () => {
  const again = given(Booking).at(noon).when("hold", {}).after({ minutes: 15 }).when("hold", {});
  again.waits({ expiry: "2026-01-01T12:30:00Z" });
  again.after({ minutes: 10 }).after({ minutes: 4 }).firesNothing();
  again.after({ minutes: 10 }).after({ minutes: 5 }).becomes({ status: "free" });
});

test("past events come with the timers that their commands had set", () => {
  given(Booking, held).at(noon).waiting(expiry).after({ minutes: 15 }).fires("expire", expired);
  given(Booking, held).at(noon).after({ minutes: 15 }).firesNothing();
});

test("several timers fire in the order in which they are due", () => {
  const reminder = { set: "reminder", afterMs: 60_000, command: "remind", params: {} } as const;
  const later = given(Booking, held).at(noon).waiting(expiry, reminder).after({ hours: 1 });
  later.firesInOrder("remind", "expire");
  expect(() => later.fires("expire", expired)).toThrow(/fired: remind, expire/);
});

test("a timer's command that is refused changes nothing, and is not sent again", () => {
  const confirmed = given(Booking, held, event("booking.confirmed", {})).at(noon).waiting(expiry);
  const later = confirmed.after({ minutes: 15 });
  later.firesInVain("expire", "BOOKING_NOT_HELD");
  later.becomes({ status: "confirmed" });
  later.after({ hours: 1 }).firesNothing();
  expect(() => later.fires("expire")).toThrow(/expire was refused: BOOKING_NOT_HELD/);
});

test("each assertion fails for what does not happen, and says which timers are set", () => {
  const hold = given(Booking).at(noon).when("hold", {});
  expect(() => hold.after({ minutes: 14 }).fires("expire", expired)).toThrow(
    /fired: nothing; still set: expiry at 2026-01-01T12:15:00.000Z/,
  );
  expect(() => hold.after({ minutes: 15 }).fires("expire")).toThrow();
  expect(() => hold.after({ minutes: 15 }).firesNothing()).toThrow();
  expect(() => hold.waits({})).toThrow();
  expect(() => hold.when("hold", {}).after(0)).toThrow("booking held");
  expect(() => given(Booking).at("noon")).toThrow(/RFC 3339/);
});

test("a timer that sets itself without end is an error, not a test that hangs", () => {
  expect(() => given(Booking).when("tick", {}).after({ seconds: 1 })).toThrow(/fires without end/);
});

test("a timer whose params are not in the contract is found when it is set", () => {
  const Wrong = defineActor(contract)({
    ...Booking,
    decide: {
      ...Booking.decide,
      hold: () => ({ events: [], timers: [{ ...expiry, params: { extra: 1 } }] }),
    },
  });
  expect(() => given(Wrong).when("hold", {}).timers()).toThrow(/timer expiry: expire breaks the contract/);
});

test("a timer's command that prepares is given what it finds", () => {
  const Preparing = defineActor(contract)({
    ...Booking,
    prepare: { expire: async () => "" },
    decide: { ...Booking.decide, expire: (_state, _params, _decision, at) => [event("booking.expired", { at })] },
  });
  const hold = given(Preparing).at(noon).when("hold", {});
  hold.after({ minutes: 15 }, { expire: "then" }).fires("expire", event("booking.expired", { at: "then" }));
  expect(() => hold.after({ minutes: 15 })).toThrow(/give its result/);
});
