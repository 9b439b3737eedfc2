import { expect, test } from "@jest/globals";
import { upcast } from "./upcasting.ts";

const upcasters = {
  1: ({ name }: { name: string }) => ({ first: name }),
  2: ({ first }: { first: string }) => ({ first, last: "" }),
};

test("old data is lifted version by version, today's comes as it is", () => {
  expect(upcast("a.b", 1, { name: "Ada" }, 3, upcasters)).toEqual({ first: "Ada", last: "" });
  expect(upcast("a.b", 2, { first: "Ada" }, 3, upcasters)).toEqual({ first: "Ada", last: "" });
  const today = { first: "Ada", last: "L" };
  expect(upcast("a.b", 3, today, 3, upcasters)).toBe(today);
});

test("a missing step and a version from the future are errors that name the event", () => {
  expect(() => upcast("a.b", 1, {}, 4, upcasters)).toThrow(
    expect.objectContaining({ type: "UPCASTER_MISSING", message: expect.stringContaining("a.b") }),
  );
  expect(() => upcast("a.b", 4, {}, 3, upcasters)).toThrow(expect.objectContaining({ type: "EVENT_NEWER" }));
});

const cyclic: Record<string, unknown> = {};
cyclic["self"] = cyclic;
test.each<[string, () => unknown]>([
  ["nothing", () => undefined],
  ["null", () => null],
  ["a text", () => "Ada"],
  ["a promise", async () => ({ first: "Ada" })],
  ["a promise that nobody waits for", () => Promise.reject(new Error("nobody listens"))],
  ["a BigInt", () => ({ first: 1n })],
  ["a cycle", () => cyclic],
])("a step that gives %s is an error that names the event and the step", (_what, step) =>
  expect(() => upcast("a.b", 1, { name: "Ada" }, 3, { ...upcasters, 1: step })).toThrow(
    expect.objectContaining({ type: "UPCASTER_WRONG", message: expect.stringMatching(/a\.b: .*version 1 /) }),
  ),
);
