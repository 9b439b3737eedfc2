// The promise that a change is never hidden by an answer from before it, in every order of fills and changes.
import { beforeEach, describe, expect, test } from "@jest/globals";
import { Refusal } from "../../kernel/index.ts";
import { randomOf } from "../../testing/index.ts";
import { limits } from "../limits.ts";
import { AnswerCache, type Ask, type Filled, type Found } from "./answer-cache.ts";

let now: number;
let cache: AnswerCache;
/** The state that fills read, by key. */
let state: Map<string, number>;
let reads: number;
beforeEach(() => {
  now = 1_000;
  state = new Map();
  reads = 0;
  cache = new AnswerCache({ clock: { now: () => now, monotonic: () => now }, bytesMax: 1_000_000 });
});

const filledOf = (key: string, value: number, tags = [key]): Filled => ({
  answer: { status: 200, headers: {}, body: value, result: value },
  tags,
  bytes: 100,
});
/** Reads the state at once; answers when `gate` opens. */
function ask(key: string, gate: Promise<void> = Promise.resolve(), tags = [key]): Ask {
  const fill = async () => {
    reads++;
    const value = state.get(key) ?? 0;
    await gate;
    return filledOf(key, value, tags);
  };
  return { key, lifetimes: { sMaxAge: 10, staleWhileRevalidate: 20 }, fill, refresh: fill };
}
const valueOf = (found: Found | undefined) => found?.answer.body;
const gated = (): [Promise<void>, () => void] => {
  let open = (): void => {};
  return [new Promise<void>(resolve => (open = resolve)), () => open()];
};
const change = (key: string, value: number, tags = [key]) => {
  state.set(key, value);
  cache.invalidate(tags);
};
const turn = () => new Promise(resolve => setImmediate(resolve));

test("an answer is kept, 20 requests at once are one fill, and its age is told", async () => {
  const [gate, open] = gated();
  const asked = Array.from({ length: 20 }, () => cache.get(ask("a", gate)));
  open();
  expect(new Set((await Promise.all(asked)).map(valueOf))).toEqual(new Set([0]));
  expect(reads).toBe(1);
  now += 3_500;
  const found = (await cache.get(ask("a")))!;
  expect([found.outcome, cache.ageOf(found.entry!), reads]).toEqual(["hit", 3, 1]);
});

describe("a change", () => {
  test("drops the answers with its tag, and no others", async () => {
    await cache.get(ask("a"));
    await cache.get(ask("b"));
    change("a", 1);
    now += limits.cacheSettleMs;
    expect([valueOf(await cache.get(ask("a"))), (await cache.get(ask("b")))!.outcome, reads]).toEqual([1, "hit", 3]);
  });

  test("keeps a fill that began before it from being stored, and from answering requests that came after it", async () => {
    const [gate, open] = gated();
    const older = cache.get(ask("a", gate));
    change("a", 1);
    now += limits.cacheSettleMs;
    const later = Array.from({ length: 5 }, () => cache.get(ask("a")));
    open();
    expect([valueOf(await older), (await older)!.entry]).toEqual([0, undefined]);
    expect((await Promise.all(later)).map(valueOf)).toEqual([1, 1, 1, 1, 1]);
    expect(valueOf(await cache.get(ask("a")))).toBe(1);
    expect(reads).toBe(2);
  });

  test("of something else keeps no request from joining a fill", async () => {
    const [gate, open] = gated();
    const first = cache.get(ask("a", gate));
    cache.invalidate(["b"]);
    const second = cache.get(ask("a"));
    open();
    expect([(await first)!.entry, valueOf(await second), reads]).toEqual([expect.anything(), 0, 1]);
  });

  test("is not hidden by a refusal from before it", async () => {
    const [gate, open] = gated();
    const refusing = async () => {
      await gate;
      throw new Refusal("NO_SUCH_THING", { status: 404, message: "no such thing" });
    };
    const older = cache.get({ ...ask("a"), fill: refusing });
    change("a", 1);
    const later = cache.get(ask("a"));
    open();
    await expect(older).rejects.toThrow("no such thing");
    expect(valueOf(await later)).toBe(1);
  });

  test("is remembered by tags that only the fill's answer tells", async () => {
    const [gate, open] = gated();
    const older = cache.get(ask("list", gate, ["list", "item-7"]));
    cache.invalidate(["item-7"]);
    open();
    expect((await older)!.entry).toBeUndefined();
    const [next, pass] = gated();
    const other = cache.get(ask("other", next, ["item-8"]));
    cache.invalidate(["item-7"]);
    pass();
    expect((await other)!.entry).toBeDefined();
  });

  test("keeps fills that begin right after it from being stored: they may meet a cache that has not heard of it", async () => {
    change("a", 1);
    now += limits.cacheSettleMs - 1;
    expect((await cache.get(ask("a")))!.entry).toBeUndefined();
    now += 1;
    expect((await cache.get(ask("a")))!.entry).toBeDefined();
  });

  test("that is forgotten among too many keeps every fill from before it from being stored", async () => {
    const [gate, open] = gated();
    const older = cache.get(ask("a", gate));
    change("a", 1);
    for (let i = 0; i <= limits.cacheTagsMax; i++) cache.invalidate([`tag-${i}`]);
    open();
    expect((await older)!.entry).toBeUndefined();
  });

  test("and a fill that takes longer than changes are remembered is not stored", async () => {
    const [gate, open] = gated();
    const older = cache.get(ask("a", gate));
    change("a", 1);
    now += limits.cacheFillMs + 1;
    cache.invalidate(["b"]);
    open();
    expect((await older)!.entry).toBeUndefined();
  });

  test("that may have been missed drops everything, fills under way too", async () => {
    await cache.get(ask("a"));
    const [gate, open] = gated();
    const older = cache.get(ask("b", gate));
    cache.clear();
    open();
    expect((await older)!.entry).toBeUndefined();
    expect((await cache.get(ask("a")))!.outcome).toBe("miss");
  });
});

test("in 300 random histories no answer is older than the last change that was told", async () => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = randomOf(seed);
    const pick = (n: number) => Math.floor(random() * n);
    state = new Map();
    now += 100_000;
    const gates: (() => void)[] = [];
    const checks: Promise<void>[] = [];
    for (let step = 0; step < 60; step++) {
      const key = `${seed}-${pick(3)}`;
      const what = pick(5);
      if (what === 0) change(key, (state.get(key) ?? 0) + 1);
      else if (what === 1) gates.splice(pick(gates.length), 1)[0]?.();
      else if (what === 2) now += pick(400);
      else {
        const [gate, open] = gated();
        gates.push(open);
        const least = state.get(key) ?? 0;
        checks.push(
          cache.get(ask(key, gate)).then(found => {
            if (Number(valueOf(found)) < least)
              throw new Error(`seed ${seed}, step ${step}: ${String(valueOf(found))} after ${least}`);
          }),
        );
      }
      if (pick(2) === 0) await turn();
    }
    for (const open of gates) open();
    await Promise.all(checks);
    expect(cache.counts.hits).toBeGreaterThanOrEqual(0);
  }
  // The histories were no empty ones.
  expect(cache.counts.hits).toBeGreaterThan(500);
  expect(cache.counts.unstored).toBeGreaterThan(100);
});

describe("a stale answer", () => {
  test("is given while one fill fetches a new one", async () => {
    await cache.get(ask("a"));
    state.set("a", 1);
    now += 10_000;
    const found = await Promise.all([cache.get(ask("a")), cache.get(ask("a"))]);
    expect(found.map(one => [valueOf(one), one!.outcome])).toEqual([
      [0, "stale"],
      [0, "stale"],
    ]);
    await turn();
    expect([valueOf(await cache.get(ask("a"))), reads]).toEqual([1, 2]);
  });

  test("ends with its time, and a refresh that fails leaves it until then", async () => {
    await cache.get(ask("a"));
    const failing: Ask = { ...ask("a"), refresh: () => Promise.reject(new Error("away")) };
    now += 29_999;
    // The entry refreshes as it was asked for first.
    expect((await cache.get(failing))!.outcome).toBe("stale");
    await turn();
    now += 30_000;
    expect((await cache.get(ask("a")))!.outcome).toBe("miss");
  });

  test("is not stored anew by a refresh from before a change", async () => {
    const [gate, open] = gated();
    const slow = { ...ask("a"), refresh: ask("a", gate).fill as () => Promise<Filled> };
    await cache.get(slow);
    now += 10_000;
    await cache.get(slow);
    change("a", 1);
    open();
    await turn();
    now += limits.cacheSettleMs;
    expect(valueOf(await cache.get(ask("a")))).toBe(1);
  });
});

describe("a request that waits for the fill of another", () => {
  const joining = async (first: () => Promise<Filled | undefined>) => {
    const asked = cache.get({ ...ask("a"), fill: first });
    const second = cache.get(ask("a"));
    return [await asked.catch((error: Error) => error.message), await second.catch((error: Error) => error.message)];
  };

  test("makes its own when the client of the first has left", async () => {
    const [first, second] = await joining(async () => undefined);
    expect([first, valueOf(second as Found)]).toEqual([undefined, 0]);
  });
  test("makes its own when the first has failed: it may have had less time", async () => {
    const [first, second] = await joining(() => Promise.reject(new Error("too late")));
    expect([first, valueOf(second as Found)]).toEqual(["too late", 0]);
  });
  test("is refused as the first is", async () => {
    const refused = new Refusal("NO_SUCH_THING", { status: 404, message: "no such thing" });
    const answers = await joining(() => Promise.reject(refused));
    expect(answers).toEqual(["no such thing", "no such thing"]);
    expect(reads).toBe(0);
  });
});

test("the memory is bounded by bytes, the least used go first, and what is too large is not kept", async () => {
  const small = new AnswerCache({ clock: { now: () => now, monotonic: () => now }, bytesMax: 10_000 });
  for (let i = 0; i < 100; i++) {
    await small.get(ask(`key-${i}`));
    await small.get(ask("key-0"));
    expect(small.bytes).toBeLessThanOrEqual(10_000);
  }
  expect((await small.get(ask("key-0")))!.outcome).toBe("hit");
  expect((await small.get(ask("key-1")))!.outcome).toBe("miss");
  const large: Ask = { ...ask("large"), fill: async () => ({ ...filledOf("large", 1), bytes: 20_000 }) };
  expect((await small.get(large))!.entry).toBeUndefined();
  const none = new AnswerCache({ clock: { now: () => now, monotonic: () => now }, bytesMax: 0 });
  expect((await none.get(ask("a")))!.entry).toBeUndefined();
});
