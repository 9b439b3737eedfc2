import { expect, test } from "@jest/globals";
import { limits } from "./limits.ts";
import type { SessionStore } from "./session-store.ts";

/**
 * The suite that every session store passes. `open` gives an empty one on this clock; without a clock, on its server's.
 */
export function sessionStoreConformance(open: (now?: () => number) => Promise<SessionStore>): void {
  const start = async () => {
    let now = Date.parse("2026-01-01T00:00:00Z");
    const store = await open(() => now);
    return { store, pass: (ms: number) => (now += ms) };
  };

  test("each token is used up by the next", async () => {
    const { store } = await start();
    const first = await store.open("ada");
    const second = await store.rotate(first);
    const third = await store.rotate(second!.token);
    expect([second!.user, third!.user]).toEqual(["ada", "ada"]);
    expect(new Set([first, second!.token, third!.token]).size).toBe(3);
    expect(Buffer.from(third!.token, "base64url")).toHaveLength(32);
  });

  test("two tabs that refresh at once get the same successor", async () => {
    const { store, pass } = await start();
    const first = await store.open("ada");
    const [one, two] = await Promise.all([store.rotate(first), store.rotate(first)]);
    expect(two).toEqual(one);
    pass(limits.refreshReuseMs - 1);
    expect(await store.rotate(first)).toEqual(one);
    expect(await store.rotate(one!.token)).toBeDefined();
  });

  test("a token that is used again later ends its family, and no other", async () => {
    const { store, pass } = await start();
    const [stolen, other] = [await store.open("ada"), await store.open("ada")];
    const next = await store.rotate(stolen);
    pass(limits.refreshReuseMs);
    expect(await store.rotate(stolen)).toBeUndefined();
    expect(await store.rotate(next!.token)).toBeUndefined();
    expect(await store.rotate(other)).toBeDefined();
  });

  test("within its moments a token gives its successor, however far that has been used up", async () => {
    const { store } = await start();
    const first = await store.open("ada");
    const second = await store.rotate(first);
    const third = await store.rotate(second!.token);
    expect(await store.rotate(first)).toEqual(second);
    expect(await store.rotate(third!.token)).toBeDefined();
  });

  test("an expired token gives nothing", async () => {
    const { store, pass } = await start();
    const token = await store.open("ada");
    pass(limits.refreshTokenMs);
    expect(await store.rotate(token)).toBeUndefined();
  });

  test("log-out ends the family by any of its tokens; an unknown token is no error", async () => {
    const { store } = await start();
    const first = await store.open("ada");
    const next = await store.rotate(first);
    await store.revoke(first);
    await store.revoke("unknown");
    expect(await store.rotate(next!.token)).toBeUndefined();
    expect(await store.rotate("unknown")).toBeUndefined();
  });

  test("one session more than a user may have ends the one that was used longest ago", async () => {
    const { store, pass } = await start();
    const tokens: string[] = [];
    for (let n = 0; n < limits.sessionsPerUserMax; n++, pass(1)) tokens.push(await store.open("ada"));
    const used = await store.rotate(tokens[0]!);
    pass(1);
    await store.open("ada");
    expect(await store.rotate(tokens[1]!)).toBeUndefined();
    expect(await store.rotate(used!.token)).toBeDefined();
    expect(await store.rotate(tokens[2]!)).toBeDefined();
  });

  test("of unused ones the user's oldest ends", async () => {
    const { store, pass } = await start();
    const oldest = await store.open("ada");
    const others = await store.open("bob");
    const newer: string[] = [];
    for (let n = 0; n < limits.sessionsPerUserMax; n++) {
      pass(1);
      newer.push(await store.open("ada"));
    }
    expect(await store.rotate(oldest)).toBeUndefined();
    expect(await store.rotate(newer[0]!)).toBeDefined();
    expect(await store.rotate(others)).toBeDefined();
  });

  test("however many log in at once, a user has no more sessions than allowed", async () => {
    const { store } = await start();
    const tokens = await Promise.all(Array.from({ length: limits.sessionsPerUserMax + 10 }, () => store.open("ada")));
    const rotated = await Promise.all(tokens.map(token => store.rotate(token)));
    expect(rotated.filter(next => next !== undefined)).toHaveLength(limits.sessionsPerUserMax);
  });

  test("a refresh and a log-out at once end in a log-out, whichever was first", async () => {
    const { store } = await start();
    for (let round = 0; round < 20; round++) {
      const token = await store.open("ada");
      const [next] = await Promise.all([store.rotate(token), store.revoke(token)]);
      expect(await store.rotate(next?.token ?? token)).toBeUndefined();
    }
  });
}
