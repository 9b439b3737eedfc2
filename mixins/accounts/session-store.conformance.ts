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
    const first = (await store.open("ada")).token;
    const second = await store.rotate(first);
    const third = await store.rotate(second!.token);
    expect([second!.user, third!.user]).toEqual(["ada", "ada"]);
    expect(new Set([first, second!.token, third!.token]).size).toBe(3);
    expect(Buffer.from(third!.token, "base64url")).toHaveLength(32);
  });

  test("two tabs that refresh at once get the same successor", async () => {
    const { store, pass } = await start();
    const first = (await store.open("ada")).token;
    const [one, two] = await Promise.all([store.rotate(first), store.rotate(first)]);
    expect(two).toEqual(one);
    pass(limits.refreshReuseMs - 1);
    expect(await store.rotate(first)).toEqual(one);
    expect(await store.rotate(one!.token)).toBeDefined();
  });

  test("a token that is used again later ends its family, and no other", async () => {
    const { store, pass } = await start();
    const [stolen, other] = [(await store.open("ada")).token, (await store.open("ada")).token];
    const next = await store.rotate(stolen);
    pass(limits.refreshReuseMs);
    expect(await store.rotate(stolen)).toBeUndefined();
    expect(await store.rotate(next!.token)).toBeUndefined();
    expect(await store.rotate(other)).toBeDefined();
  });

  test("within its moments a token gives its successor, however far that has been used up", async () => {
    const { store } = await start();
    const first = (await store.open("ada")).token;
    const second = await store.rotate(first);
    const third = await store.rotate(second!.token);
    expect(await store.rotate(first)).toEqual(second);
    expect(await store.rotate(third!.token)).toBeDefined();
  });

  test("an expired token gives nothing", async () => {
    const { store, pass } = await start();
    const token = (await store.open("ada")).token;
    pass(limits.refreshTokenMs);
    expect(await store.rotate(token)).toBeUndefined();
  });

  test("log-out ends the family by any of its tokens; an unknown token is no error", async () => {
    const { store } = await start();
    const first = (await store.open("ada")).token;
    const next = await store.rotate(first);
    await store.revoke(first);
    await store.revoke("unknown");
    expect(await store.rotate(next!.token)).toBeUndefined();
    expect(await store.rotate("unknown")).toBeUndefined();
  });

  test("one session more than a user may have ends the one that was used longest ago", async () => {
    const { store, pass } = await start();
    const tokens: string[] = [];
    for (let n = 0; n < limits.sessionsPerUserMax; n++, pass(1)) tokens.push((await store.open("ada")).token);
    const used = await store.rotate(tokens[0]!);
    pass(1);
    await store.open("ada");
    expect(await store.rotate(tokens[1]!)).toBeUndefined();
    expect(await store.rotate(used!.token)).toBeDefined();
    expect(await store.rotate(tokens[2]!)).toBeDefined();
  });

  test("of unused ones the user's oldest ends", async () => {
    const { store, pass } = await start();
    const oldest = (await store.open("ada")).token;
    const others = (await store.open("bob")).token;
    const newer: string[] = [];
    for (let n = 0; n < limits.sessionsPerUserMax; n++) {
      pass(1);
      newer.push((await store.open("ada")).token);
    }
    expect(await store.rotate(oldest)).toBeUndefined();
    expect(await store.rotate(newer[0]!)).toBeDefined();
    expect(await store.rotate(others)).toBeDefined();
  });

  test("however many log in at once, a user has no more sessions than allowed", async () => {
    const { store } = await start();
    const tokens = await Promise.all(
      Array.from({ length: limits.sessionsPerUserMax + 10 }, async () => (await store.open("ada")).token),
    );
    const rotated = await Promise.all(tokens.map(token => store.rotate(token)));
    expect(rotated.filter(next => next !== undefined)).toHaveLength(limits.sessionsPerUserMax);
  });

  test("a refresh and a log-out at once end in a log-out, whichever was first", async () => {
    const { store } = await start();
    for (let round = 0; round < 20; round++) {
      const token = (await store.open("ada")).token;
      const [next] = await Promise.all([store.rotate(token), store.revoke(token)]);
      expect(await store.rotate(next?.token ?? token)).toBeUndefined();
    }
  });

  test("a user's sessions are listed with device, network and times, the latest used first, and nobody else's", async () => {
    const { store, pass } = await start();
    const at = Date.parse("2026-01-01T00:00:00Z");
    const first = await store.open("ada", { device: "Firefox on Linux", address: "192.0.2.1" });
    pass(1_000);
    const second = await store.open("ada", { device: "curl" });
    await store.open("bob", { device: "Safari on iPhone" });
    pass(1_000);
    await store.rotate(first.token, { address: "192.0.2.9" });
    expect(await store.list("ada")).toEqual([
      { id: first.session, device: "Firefox on Linux", address: "192.0.2.9", createdAt: at, lastUsedAt: at + 2_000 },
      { id: second.session, device: "curl", address: undefined, createdAt: at + 1_000, lastUsedAt: at + 1_000 },
    ]);
    expect(await store.list("eve")).toEqual([]);
    pass(limits.refreshTokenMs - 500);
    expect((await store.list("ada")).map(({ id }) => id)).toEqual([first.session]);
  });

  test("the id of a session stays the same through its refreshes", async () => {
    const { store } = await start();
    const opened = await store.open("ada");
    const next = await store.rotate(opened.token);
    expect(next!.session).toBe(opened.session);
    expect((await store.rotate(next!.token))!.session).toBe(opened.session);
  });

  test("a session ends by its id, for its user alone, and once", async () => {
    const { store } = await start();
    const [one, other] = [await store.open("ada"), await store.open("ada")];
    for (const id of ["", "*", "unknown", "a:b"]) expect(await store.end("ada", id)).toBe(false);
    expect(await store.end("bob", one.session)).toBe(false);
    expect(await store.end("ada", one.session)).toBe(true);
    expect(await store.end("ada", one.session)).toBe(false);
    expect(await store.rotate(one.token)).toBeUndefined();
    expect((await store.list("ada")).map(({ id }) => id)).toEqual([other.session]);
    expect(await store.rotate(other.token)).toBeDefined();
  });

  test("the id of a session is no part of a token: a made-up one gives nothing, ends nothing, and is no theft", async () => {
    const { store, pass } = await start();
    const told: unknown[] = [];
    const { session, token } = await store.open("ada");
    const next = await store.rotate(token);
    pass(limits.refreshReuseMs);
    for (const encoding of ["base64url", "hex", "latin1"] as const)
      for (const bytes of [16, 32]) {
        const known = Buffer.from(session, encoding).subarray(0, bytes);
        const madeUp = Buffer.concat([known, Buffer.alloc(32, 7)]).toString("base64url", 0, 32);
        expect(await store.rotate(madeUp, { onReuse: family => void told.push(family) })).toBeUndefined();
        await store.revoke(madeUp);
      }
    expect(told).toEqual([]);
    expect(await store.rotate(next!.token)).toBeDefined();
  });

  test("a user has a session until it ends, and no other user has it", async () => {
    const { store } = await start();
    const [one, two] = [await store.open("ada"), await store.open("ada")];
    expect(await store.has("ada", one.session)).toBe(true);
    expect(await store.has("bob", one.session)).toBe(false);
    for (const id of ["", "*", "unknown"]) expect(await store.has("ada", id)).toBe(false);
    await store.revoke(one.token);
    expect(await store.has("ada", one.session)).toBe(false);
    expect(await store.has("ada", two.session)).toBe(true);
    await store.endAll("ada");
    expect(await store.has("ada", two.session)).toBe(false);
  });

  test("all sessions of a user end, or all but one, and those of others stay", async () => {
    const { store } = await start();
    const [one, two, three] = [await store.open("ada"), await store.open("ada"), await store.open("ada")];
    const bobs = await store.open("bob");
    await store.endAll("ada", two.session);
    for (const { token } of [one, three]) expect(await store.rotate(token)).toBeUndefined();
    const next = await store.rotate(two.token);
    await store.endAll("ada");
    expect(await store.rotate(next!.token)).toBeUndefined();
    expect(await store.list("ada")).toEqual([]);
    expect(await store.rotate(bobs.token)).toBeDefined();
  });

  test("a token that comes again too late is told, once; any other that gives nothing is not", async () => {
    const { store, pass } = await start();
    const told: unknown[] = [];
    const use = { onReuse: (family: unknown) => void told.push(family) };
    const { session, token } = await store.open("ada");
    await store.rotate(token, use);
    await store.rotate(token, use);
    await store.rotate("unknown", use);
    expect(told).toEqual([]);
    pass(limits.refreshReuseMs);
    for (let n = 0; n < 2; n++) expect(await store.rotate(token, use)).toBeUndefined();
    expect(told).toEqual([{ user: "ada", session }]);
  });
}
