import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Type, { type TProperties } from "typebox";
import { defineActor, type Actor } from "../actor/index.ts";
import { defineContract, defineFormat } from "../contract/index.ts";
import { checkGolden, freezeActor } from "./index.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "samples-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const guest = Type.Object({ name: Type.String({ minLength: 1 }), phone: Type.Optional(Type.String()) });
const HELD = {
  room: Type.String({ pattern: "^[A-Z]-\\d$" }),
  guests: Type.Array(guest),
  note: Type.Optional(Type.String()),
};

interface Change {
  readonly held?: TProperties;
  readonly version?: number;
  readonly upcasters?: { readonly [version: number]: (data: any) => any };
  readonly snapshotSchema?: number;
  readonly fold?: (data: any) => object;
}
/** A booking as a release defines it: held, then confirmed or released. */
function booking({ held = HELD, version = 1, upcasters = {}, snapshotSchema = 1, fold }: Change = {}): Actor {
  const contract = defineContract({
    service: "bookings",
    actor: "booking",
    state: { status: Type.Optional(Type.Enum(["held", "confirmed"])), room: Type.Optional(Type.String()) },
    commands: { hold: {} },
    events: { "booking.held": held, "booking.confirmed": {}, "booking.let_go": {} },
    versions: { "booking.held": version },
  });
  return defineActor(contract)({
    initial: () => ({}),
    decide: { hold: () => [] },
    evolve: {
      "booking.held": (_state, data) => (fold ?? (({ room }) => ({ status: "held", room })))(data),
      "booking.confirmed": state => {
        if (state.status !== "held") throw new Error("it is not held");
        return { ...state, status: "confirmed" };
      },
      "booking.let_go": () => ({}),
    },
    upcasters: { "booking.held": upcasters },
    snapshotSchema,
  });
}
const json = (file: string): any => JSON.parse(readFileSync(join(folder, file), "utf8"));
const change = (file: string, value: unknown) => writeFileSync(join(folder, file), JSON.stringify(value));

test("every shape is frozen, and a second time there is nothing to do", () => {
  const actor = booking();
  expect(() => checkGolden(actor, folder)).toThrow("no golden sample events/booking.held.v1.json: run freeze");
  expect(freezeActor(actor, folder)).toEqual([
    "events/booking.held.v1.json",
    "events/booking.held.v1.least.json",
    "events/booking.confirmed.v1.json",
    "events/booking.let_go.v1.json",
    "snapshots/booking.v1.held.json",
    "snapshots/booking.v1.confirmed.json",
    "snapshots/booking.v1.let_go.json",
  ]);
  checkGolden(actor, folder);
  expect(freezeActor(actor, folder)).toEqual([]);
  expect(json("events/booking.held.v1.json")).toEqual({
    room: "S-1",
    guests: [{ name: "sample", phone: "sample" }],
    note: "sample",
  });
  expect(json("events/booking.held.v1.least.json")).toEqual({ room: "S-1", guests: [{ name: "sample" }] });
  expect(json("snapshots/booking.v1.confirmed.json")).toEqual({
    events: ["booking.held.v1", "booking.confirmed.v1"],
    state: { status: "confirmed", room: "S-1" },
  });
});

describe("once the shapes are frozen", () => {
  beforeEach(() => {
    freezeActor(booking(), folder);
  });

  test.each<[string, TProperties, string]>([
    ["a new required field", { ...HELD, nights: Type.Integer() }, '"field":"nights","message":"is required"'],
    ["a required field that was optional", { ...HELD, note: Type.String() }, '"field":"note","message":"is required"'],
    ["such a field of an item", { ...HELD, guests: Type.Array(Type.Required(guest)) }, '"field":"guests.0.phone"'],
    ["a field that is gone", { room: HELD.room, guests: HELD.guests }, '"field":"note","message":"is not allowed"'],
    ["a field of another type", { ...HELD, note: Type.Optional(Type.Integer()) }, '"message":"must be integer"'],
    ["a narrower bound", { ...HELD, room: Type.String({ maxLength: 2 }) }, "must NOT have more than 2 characters"],
  ])("%s breaks the check, and freeze does not hide it", (_change, held, said) => {
    const before = readdirSync(join(folder, "events"));
    expect(() => checkGolden(booking({ held }), folder)).toThrow(said);
    expect(() => freezeActor(booking({ held }), folder)).toThrow(said);
    expect(readdirSync(join(folder, "events"))).toEqual(before);
  });

  test("a new optional field needs a sample that has it", () => {
    const actor = booking({ held: { ...HELD, nights: Type.Optional(Type.Integer({ minimum: 2 })) } });
    expect(() => checkGolden(actor, folder)).toThrow(
      "golden samples of booking.held.v1 do not show nights: run freeze",
    );
    expect(freezeActor(actor, folder)).toEqual(["events/booking.held.v1.full.json"]);
    expect(json("events/booking.held.v1.full.json")).toMatchObject({ nights: 2 });
    checkGolden(actor, folder);
  });

  test("a new value of an enumeration needs a sample, and none is taken away", () => {
    const held = (...by: string[]) => ({ ...HELD, by: Type.Optional(Type.Enum(by)) });
    const actor = booking({ held: held("web", "phone") });
    expect(freezeActor(actor, folder)).toEqual([
      "events/booking.held.v1.full.json",
      "events/booking.held.v1.phone.json",
    ]);
    checkGolden(actor, folder);
    expect(() => checkGolden(booking({ held: held("web", "phone", "desk") }), folder)).toThrow(
      'golden samples of booking.held.v1 do not show by "desk": run freeze',
    );
    expect(() => checkGolden(booking({ held: held("web") }), folder)).toThrow("must be one of web");
  });

  test("a new version with an upcaster reads the old samples, and gets its own", () => {
    const held = { ...HELD, nights: Type.Integer({ minimum: 1 }) };
    expect(() => checkGolden(booking({ held, version: 2 }), folder)).toThrow("no upcaster from version 1 to 2");
    const actor = booking({ held, version: 2, upcasters: { 1: (data: object) => ({ ...data, nights: 1 }) } });
    expect(() => checkGolden(actor, folder)).toThrow("no golden sample events/booking.held.v2.json: run freeze");
    expect(freezeActor(actor, folder)).toEqual(["events/booking.held.v2.json", "events/booking.held.v2.least.json"]);
    checkGolden(actor, folder);
  });

  test("a fold that changes needs a new number of the state", () => {
    const fold = ({ room }: { room: string }) => ({ status: "held", room: room.toLowerCase() });
    expect(() => checkGolden(booking({ fold }), folder)).toThrow("the fold has changed; raise snapshotSchema");
    expect(() => freezeActor(booking({ fold }), folder)).toThrow("the fold has changed; raise snapshotSchema");
    const actor = booking({ fold, snapshotSchema: 2 });
    expect(() => checkGolden(actor, folder)).toThrow("ends in booking.held: run freeze");
    expect(freezeActor(actor, folder)).toHaveLength(3);
    checkGolden(actor, folder);
  });

  test("a sample of an event that the contract does not have is found", () => {
    change("events/booking.moved.v1.json", {});
    expect(() => checkGolden(booking(), folder)).toThrow(
      "events/booking.moved.v1.json: the contract has no such event",
    );
  });
});

test("a version that was never frozen, and a field that cannot be made up, are the author's to write", () => {
  expect(() => freezeActor(booking({ version: 2 }), folder)).toThrow("there is no events/booking.held.v1.json");
  const iban = { format: defineFormat("iban", text => text === "DE02120300000000202051") };
  expect(() => freezeActor(booking({ held: { account: Type.String(iban) } }), folder)).toThrow(
    'no sample of event booking.held could be made, account must match format "iban": add examples to the field\'s schema',
  );
  const hidden = Type.Object({ note: Type.Optional(Type.String()) }, { examples: [{}] });
  expect(() => freezeActor(booking({ held: { hidden } }), folder)).toThrow("none shows hidden.note");
  const before = readdirSync(join(folder, "events"));
  expect(() => freezeActor(booking({ held: { hidden } }), folder)).toThrow("none shows hidden.note");
  expect(readdirSync(join(folder, "events"))).toEqual(before);
  rmSync(join(folder, "events"), { recursive: true });
  const account = Type.String({ ...iban, examples: ["DE02120300000000202051"] });
  freezeActor(booking({ held: { account } }), folder);
  expect(json("events/booking.held.v1.json")).toEqual({ account: "DE02120300000000202051" });
});
