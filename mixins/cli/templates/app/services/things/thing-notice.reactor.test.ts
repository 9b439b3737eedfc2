import { expect, test } from "@jest/globals";
import { ThingNotice } from "./thing-notice.reactor.ts";

test("an approval is told, and nothing else is", async () => {
  const called: unknown[] = [];
  const call = async (...args: unknown[]) => void called.push(args);
  await ThingNotice.on["thing.approved"]!({ stream: "1" } as never, { call } as never);
  expect(called).toEqual([["things.notify", { id: "1" }]]);
  expect(Object.keys(ThingNotice.on)).toEqual(["thing.approved"]);
});
