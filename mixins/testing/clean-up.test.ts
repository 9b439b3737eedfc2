import { expect, jest, test } from "@jest/globals";
import { atEndOfFile, cleanUp } from "./clean-up.ts";

test("clean-ups left at the end run once, the last first, and a failure does not stop the others", async () => {
  const done: string[] = [];
  const doing = (name: string) => atEndOfFile(async () => void done.push(name));
  const early = doing("early");
  doing("first");
  atEndOfFile(() => Promise.reject(new Error("no such server")));
  doing("last");
  await Promise.all([early(), early()]);
  const complaint = jest.spyOn(console, "error").mockImplementation(() => {});
  await cleanUp(globalThis);
  await cleanUp(globalThis);
  expect(done).toEqual(["early", "last", "first"]);
  expect(complaint).toHaveBeenCalledTimes(1);
});
