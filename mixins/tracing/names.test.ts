import { expect, test } from "@jest/globals";
import * as stable from "@opentelemetry/semantic-conventions";
import * as incubating from "@opentelemetry/semantic-conventions/incubating";
import { ATTRIBUTES } from "./names.ts";

test("an attribute is one of the semantic conventions, or says by its name that it is ours", () => {
  const conventions = new Set<unknown>(Object.values({ ...incubating, ...stable }));
  const strange = Object.values(ATTRIBUTES).filter(name => !name.startsWith("valence.") && !conventions.has(name));
  expect(strange).toEqual([]);
});
