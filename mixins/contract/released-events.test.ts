import { expect, test } from "@jest/globals";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Type, { type TProperties } from "typebox";
import { defineContract } from "./contract.ts";
import {
  brokenPromises,
  RELEASED_FILE,
  releasedIn,
  releasedWith,
  tellBroken,
  unreleased,
  type ReleasedEvents,
} from "./released-events.ts";

const HELD = { room: Type.String(), guests: Type.Array(Type.Object({ age: Type.Integer() })) };
const bookings = (held: TProperties | undefined = HELD, version = 1) =>
  defineContract({
    service: "bookings",
    events: { ...(held && { "booking.held": held }), "booking.let_go": {} },
    versions: { "booking.held": version },
  });
const released: ReleasedEvents = releasedWith(bookings(), {});
const broken = (contract: ReturnType<typeof bookings>, of = released): string[] =>
  brokenPromises(contract, of).map(tellBroken);

test("a contract keeps what it released itself, and nothing is left to release", () => {
  expect(Object.keys(released)).toEqual(["booking.held", "booking.let_go"]);
  expect([broken(bookings()), unreleased(bookings(), released)]).toEqual([[], []]);
});

test("a change of an event's shape names event, field and direction", () => {
  const guests = Type.Array(Type.Object({ age: Type.Integer({ maximum: 99 }) }));
  expect(broken(bookings({ ...HELD, guests, nights: Type.Integer() }))).toEqual([
    "booking.held v1, nights, backward: presence is required, released as absent",
    "booking.held v1, guests[].age, backward: maximum is 99, released as none",
  ]);
  expect(broken(bookings({ guests: HELD.guests }))).toEqual([
    "booking.held v1, room, backward: presence is absent, released as required",
    "booking.held v1, room, forward: presence is absent, released as required",
  ]);
});

test("with a new version any change is allowed, and both shapes are released from then on", () => {
  const contract = bookings({ room: Type.Integer() }, 2);
  expect(broken(contract)).toEqual([]);
  expect(unreleased(contract, released)).toEqual(["booking.held v2"]);
  const both = releasedWith(contract, released);
  expect(Object.keys(both["booking.held"]!)).toEqual(["1", "2"]);
  expect(both["booking.held"]!["1"]).toEqual(released["booking.held"]!["1"]);
  expect(broken(bookings({ room: Type.String() }, 2), both)).toContain(
    "booking.held v2, room, backward: type is string, released as integer",
  );
});

test("an addition that every reader passes over needs no version, but has to be released", () => {
  const contract = bookings({ ...HELD, note: Type.Optional(Type.String()) });
  expect(broken(contract)).toEqual([]);
  expect(unreleased(contract, released)).toEqual(["booking.held v1"]);
  expect(broken(bookings(), releasedWith(contract, released))).toEqual([
    "booking.held v1, note, backward: presence is absent, released as optional",
  ]);
});

test("an event that is gone, or an older version of one, breaks what was released", () => {
  const without = defineContract({ service: "bookings", events: { "booking.let_go": {} } });
  expect(broken(without as never)).toEqual(["booking.held v1, backward: presence is absent, released as v1"]);
  expect(broken(bookings(), releasedWith(bookings(HELD, 2), released))).toEqual([
    "booking.held v2, backward: version is v1, released as v2",
  ]);
});

test("the file lies in the service's folder; where there is none, nothing is released", () => {
  const folder = mkdtempSync(join(tmpdir(), "released-"));
  try {
    expect(releasedIn(folder)).toEqual({});
    writeFileSync(join(folder, RELEASED_FILE), JSON.stringify(released));
    expect(releasedIn(folder)).toEqual(released);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
