import { expect, test } from "@jest/globals";
import { abandon } from "./abandoned.ts";
import {
  callAtHand,
  callTimeLeftMs,
  logFor,
  openCall,
  spanAtHand,
  workFor,
  workForNobody,
  workInSpan,
} from "./call-at-hand.ts";

const call = (timeout: number | null) => ({ options: { timeout }, startHrTime: process.hrtime() });

test("the time left is the call's at hand, through everything that it awaits", async () => {
  expect(callTimeLeftMs()).toBe(Infinity);
  const left = await workFor(call(60_000), async () => {
    await new Promise(resolve => setImmediate(resolve));
    const nested = await workFor(call(1_000), async () => callTimeLeftMs());
    return [callTimeLeftMs(), nested];
  });
  expect(left[0]).toBeGreaterThan(1_000);
  expect(left[0]).toBeLessThanOrEqual(60_000);
  expect(left[1]).toBeLessThanOrEqual(1_000);
  expect(callTimeLeftMs()).toBe(Infinity);
});

test("a call without a time-out has all the time there is, until its client leaves", async () => {
  const endless = call(null);
  await workFor(endless, async () => {
    expect(callTimeLeftMs()).toBe(Infinity);
    abandon(endless);
    expect(callTimeLeftMs()).toBe(0);
  });
});

test("time that has run out is 0, and never less", () =>
  workFor({ options: { timeout: 1 }, startHrTime: [0, 0] }, async () => expect(callTimeLeftMs()).toBe(0)));

test("what outlives the call, also one that fails, and what works for nobody has no deadline", async () => {
  const { promise: over, resolve: end } = Promise.withResolvers<void>();
  const seen: Promise<number>[] = [];
  const failing = workFor(call(1_000), async () => {
    seen.push(over.then(() => callTimeLeftMs()));
    seen.push(workForNobody(async () => callTimeLeftMs()));
    throw new Error("no");
  });
  await expect(failing).rejects.toThrow("no");
  end();
  expect(await Promise.all(seen)).toEqual([Infinity, Infinity]);
});

test("a call without queries of its own is at hand, and leaves its time to the call that it is a part of", async () => {
  const [outer, inner] = [call(1_000), call(60_000)];
  await workFor(outer, () =>
    workFor(
      inner,
      async () => {
        expect(callAtHand()).toBe(inner);
        expect(callTimeLeftMs()).toBeLessThanOrEqual(1_000);
      },
      false,
    ),
  );
  await workFor(inner, async () => expect(callTimeLeftMs()).toBe(Infinity), false);
  expect(callAtHand()).toBeUndefined();
});

test("a request whose lines are logged is at hand meanwhile, and for no timer that logging starts", async () => {
  const request = { requestID: "request-0001" };
  const later = Promise.withResolvers<object | undefined>();
  logFor(request, () => {
    expect(callAtHand()).toBe(request);
    setImmediate(() => later.resolve(callAtHand()));
  });
  expect(await later.promise).toBeUndefined();
  expect(() =>
    logFor(request, () => {
      throw new Error("no");
    }),
  ).toThrow("no");
  expect(callAtHand()).toBeUndefined();
});

test("a call joins the work that was opened for it, and no other one", async () => {
  const [opened, other] = [call(1_000), call(60_000)];
  const seen = await openCall(opened, "span", async () => {
    const before = callAtHand();
    const others = workFor(other, async () => [callAtHand(), spanAtHand()]);
    const own = workFor(opened, async () => [callAtHand(), spanAtHand()]);
    return [before, await others, await own, callAtHand(), spanAtHand()];
  });
  expect(seen).toEqual([undefined, [other, "span"], [opened, "span"], undefined, "span"]);
  expect([callAtHand(), spanAtHand()]).toEqual([undefined, undefined]);
});

test("a span is at hand in what its work awaits; the call at hand stays, and none has neither", () =>
  workFor(call(null), async () => {
    const own = callAtHand();
    await workInSpan("span", async () => {
      await new Promise(setImmediate);
      expect([callAtHand(), spanAtHand()]).toEqual([own, "span"]);
      workInSpan(undefined, () => expect([callAtHand(), spanAtHand()]).toEqual([own, undefined]));
      workForNobody(() => expect([callAtHand(), spanAtHand()]).toEqual([undefined, "span"]));
    });
    expect([callAtHand(), spanAtHand()]).toEqual([own, undefined]);
  }));
