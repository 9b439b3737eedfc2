import { describe, expect, test } from "@jest/globals";
import Type from "typebox";
import { PERSONAL, type Recorded } from "../../contract/index.ts";
import { defineOutbound, type Outbound } from "./define-outbound.ts";
import { limits } from "./limits.ts";
import { publicEvents, structured } from "./public-event.ts";

const EVENT = {
  eventId: "loan.7@3",
  type: "loan.ended",
  actor: "loan",
  stream: "7",
  version: 3,
  at: "2026-11-30T10:00:00.000Z",
  data: { reader: "ann" },
  metadata: { user: "u1", node: "n1" },
} as unknown as Recorded;

const schema = { loan: Type.String(), days: Type.Optional(Type.Integer()) };
const ended = (made: unknown): Outbound =>
  defineOutbound({ event: "library.loan.ended", version: 2, schema, on: { "loan.ended": () => made } as object });
const make = (made: unknown) => publicEvents(ended(made), { source: "/library/desk", call: undefined as never })(EVENT);

test("a public event is a CloudEvent with an id that follows from the inner one, and nothing of its cause", async () => {
  const event = (await make({ loan: "7", days: undefined }))!;
  expect(JSON.parse(structured(event))).toEqual({
    specversion: "1.0",
    id: event.id,
    source: "/library/desk",
    type: "library.loan.ended.v2",
    subject: "loan.7",
    partitionkey: "loan.7",
    time: EVENT.at,
    datacontenttype: "application/json",
    data: { loan: "7" },
  });
  expect(event.id).toMatch(/^[\da-f-]{36}$/);
  expect((await make({ loan: "other" }))!.id).toBe(event.id);
});

test("an event that maps to nothing is passed over", async () => {
  expect(await make(undefined)).toBeUndefined();
});

test.each([
  ["a field that is missing", {}, "loan is required"],
  ["a field that nobody has promised", { loan: "7", reader: "ann" }, "reader is not allowed"],
  ["another type", { loan: 7 }, "loan must be string"],
  ["no object", null, "it must be object"],
  ["a function", () => {}, "OUTBOUND_MISFIT"],
])("data with %s is a bug of its event", async (_what, made, problem) => {
  await expect(make(made)).rejects.toMatchObject({ type: "OUTBOUND_MISFIT", data: { family: "bug" } });
  if (problem !== "OUTBOUND_MISFIT") await expect(make(made)).rejects.toThrow(problem);
});

test("data that is too large is a bug of its event", async () => {
  await expect(make({ loan: "x".repeat(limits.dataBytes) })).rejects.toMatchObject({ type: "OUTBOUND_TOO_LARGE" });
});

describe("a definition is refused", () => {
  const define = (change: object) =>
    defineOutbound({ event: "library.loan.ended", schema: { loan: Type.String() }, on: {}, ...change });
  test.each([
    ["of a name of one word", { event: "ended" }, 'such as "library.loan.ended"'],
    ["of a topic with a slash", { topic: "a/b" }, 'the topic "a/b"'],
    ["of a wrong schema", { schema: { loan: Type.String({ format: "dat" }) } }, 'loan: unknown format "dat"'],
    ["with a secret", { schema: { pin: Type.String({ writeOnly: true }) } }, "pin must not leave"],
    ["with a personal field", { schema: { reader: Type.String({ ...PERSONAL }) } }, "reader must not leave"],
  ])("%s", (_why, change, says) => {
    expect(() => define(change)).toThrow(says);
  });
});
