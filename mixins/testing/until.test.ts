import { expect, test } from "@jest/globals";
import { until } from "./until.ts";

test("it answers the value once the condition holds", async () => {
  let looks = 0;
  expect(await until("the third look", () => ++looks === 3 && "found")).toBe("found");
  expect(
    await until(
      () => ++looks,
      seen => seen > 5,
    ),
  ).toBe(6);
  expect(await until(async () => ++looks)).toBe(7);
});

test("after the deadline its error names the condition and the last value", async () => {
  await expect(until("a miracle", () => false, 10)).rejects.toThrow(/^not within 10 ms: a miracle$/);
  await expect(
    until(
      () => ({ version: 3n }),
      () => false,
      10,
    ),
  ).rejects.toThrow('last seen: {"version":"3"}');
});

test("an error of the look ends the wait", async () => {
  const broken = () => {
    throw new Error("the server did not start");
  };
  await expect(until("a server", broken)).rejects.toThrow("the server did not start");
});
