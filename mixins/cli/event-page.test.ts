import { expect, test } from "@jest/globals";
import Type from "typebox";
import type { EventChannel } from "../contract/index.ts";
import { fieldsOf } from "./event-fields.ts";
import { eventPage } from "./event-page.ts";

const schema = Type.Object({
  room: Type.String({ format: "uuid" }),
  guests: Type.Array(Type.Object({ name: Type.String(), age: Type.Optional(Type.Integer()) })),
  paid: Type.Union([Type.Object({ by: Type.Literal("card") }), Type.Null()]),
  kind: Type.Enum(["single", "double"]),
  country: Type.Enum(Array.from({ length: 200 }, (_, i) => `c${i}`)),
  more: Type.Optional(Type.Unknown()),
});
const CHANNELS: EventChannel[] = [
  {
    owner: "bookings",
    source: "/bookings",
    topic: "bookings",
    partitions: 16,
    subject: "EVENTS.bookings.*",
    events: [
      {
        type: "booking.held",
        version: 1,
        versions: [{ version: 1, cloudType: "booking.held.v1", schema, example: { room: "a|b" } }],
        consumers: ["nights"],
      },
      {
        type: "booking.let_go",
        version: 1,
        versions: [{ version: 1, cloudType: "booking.let_go.v1", schema: Type.Object({}), example: {} }],
        consumers: [],
      },
    ],
  },
];

test("the fields of a shape are told one by one, nested ones too", () =>
  expect(fieldsOf(schema).map(({ path, type, isOptional }) => `${path}: ${type}${isOptional ? "?" : ""}`)).toEqual([
    "room: string, uuid",
    "guests: list of object",
    "guests[].name: string",
    "guests[].age: integer?",
    "paid: object or null",
    "paid.by: card",
    "kind: single or double",
    "country: one of 200 values",
    "more: any value?",
  ]));

test("the page has every event between its marks, and keeps the text around them", () => {
  const page = eventPage("", CHANNELS);
  expect(page).toContain("## bookings\n\nTopic `bookings`.");
  expect(page).toContain("| `booking.held` | 1 | nights |");
  expect(page).toContain("| `guests[].age` | integer | optional |");
  expect(page).toContain('"room": "a|b"');
  expect(page).toContain("It has no fields.");
  const written = page.replace("# Events\n", "# Events\n\nOur text.\n");
  expect(eventPage(written, CHANNELS)).toBe(written);
});
