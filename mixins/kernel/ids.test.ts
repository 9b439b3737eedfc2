import { expect, test } from "@jest/globals";
import { v5 } from "uuid";
import { idFrom } from "./ids.ts";

test("P3 an id from parts is the UUIDv5 that it has always been", () => {
  expect(idFrom("ann", "key-0001")).toBe("b3def162-ed91-505f-9eff-1bb4bb14d43d");
  const namespace = "5b0f6d52-6f0d-5d0f-9a57-1c4b3f7e2a10";
  for (let n = 0; n < 100; n++) expect(idFrom("ü", `${n}`)).toBe(v5(`1:ü${`${n}`.length}:${n}`, namespace));
});

test("parts are kept apart", () => {
  expect(idFrom("a", "bc")).not.toBe(idFrom("ab", "c"));
});
