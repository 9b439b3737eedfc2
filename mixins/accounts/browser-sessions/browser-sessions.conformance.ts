import { expect, test } from "@jest/globals";
import { limits } from "../limits.ts";
import type { SessionStore } from "../session-store.ts";
import type { BrowserSessions } from "./browser-sessions.ts";

/** The suite that browser sessions pass in every session store. `open` gives an empty one on this clock. */
export function browserSessionsConformance(
  open: (now: () => number) => Promise<{ sessions: SessionStore; browsers: BrowserSessions }>,
): void {
  const start = async () => {
    let now = Date.parse("2026-01-01T00:00:00Z");
    const stores = await open(() => now);
    return { ...stores, now: () => now, pass: (ms: number) => (now += ms) };
  };

  test("a value opens its user's session again and again, and each log-in has another one", async () => {
    const { browsers, now } = await start();
    const [one, two] = [await browsers.open("ada"), await browsers.open("ada")];
    expect(Buffer.from(one.value, "base64url")).toHaveLength(32);
    expect(one.expiresAt).toBe(now() + limits.browserSessionMs);
    const found = await browsers.find(one.value);
    expect(found).toEqual({ user: "ada", session: expect.any(String), expiresAt: one.expiresAt });
    expect(await browsers.find(one.value)).toEqual(found);
    expect((await browsers.find(two.value))!.session).not.toBe(found!.session);
  });

  test("it slides with its use, and ends when it is not used", async () => {
    const { browsers, pass } = await start();
    const { value } = await browsers.open("ada");
    pass(limits.refreshTokenMs - 1);
    expect(await browsers.find(value)).toBeDefined();
    pass(limits.refreshTokenMs - 1);
    expect(await browsers.find(value)).toBeDefined();
    pass(limits.refreshTokenMs);
    expect(await browsers.find(value)).toBeUndefined();
  });

  test("it ends at its absolute end, however often it is used", async () => {
    const { browsers, pass } = await start();
    const { value } = await browsers.open("ada");
    const steps = 10;
    for (let step = 1; step < steps; step++) {
      pass(limits.browserSessionMs / steps);
      expect(await browsers.find(value)).toBeDefined();
    }
    pass(limits.browserSessionMs / steps);
    expect(await browsers.find(value)).toBeUndefined();
  });

  test("a log-out ends it, and no other; to end what is not there is no error", async () => {
    const { browsers } = await start();
    const [one, two] = [await browsers.open("ada"), await browsers.open("ada")];
    expect(await browsers.close(one.value)).toBe("ada");
    expect(await browsers.close(one.value)).toBeUndefined();
    expect(await browsers.close("unknown")).toBeUndefined();
    expect(await browsers.find(one.value)).toBeUndefined();
    expect(await browsers.find(two.value)).toBeDefined();
  });

  test("a refresh token opens no session of a browser, and ends none", async () => {
    const { sessions, browsers } = await start();
    const { token } = await sessions.open("ada");
    expect(await browsers.find(token)).toBeUndefined();
    expect(await browsers.close(token)).toBeUndefined();
    expect(await sessions.rotate(token)).toBeDefined();
  });

  test("it is in the list of its user's sessions, and ends there", async () => {
    const { sessions, browsers } = await start();
    const { value } = await browsers.open("ada", { device: "Firefox on Linux", address: "192.0.2.1" });
    const { session } = (await browsers.find(value))!;
    expect(await sessions.list("ada")).toMatchObject([
      { id: session, device: "Firefox on Linux", address: "192.0.2.1" },
    ]);
    const other = await browsers.open("ada");
    expect(await sessions.end("ada", session)).toBe(true);
    expect(await browsers.find(value)).toBeUndefined();
    await sessions.endAll("ada");
    expect(await browsers.find(other.value)).toBeUndefined();
  });

  test("a cookie's value gives no refresh token", async () => {
    const { sessions, browsers } = await start();
    const { value } = await browsers.open("ada");
    expect(await sessions.rotate(value)).toBeUndefined();
  });

  test.each(["", "unknown", "a".repeat(43), "ä".repeat(43), "x".repeat(10_000)])("%j opens nothing", async value => {
    const { browsers } = await start();
    expect(await browsers.find(value)).toBeUndefined();
  });

  test("it counts as one of its user's sessions, and its use as theirs: the longest unused one ends", async () => {
    const { sessions, browsers, pass } = await start();
    const [first, second] = [await browsers.open("ada"), await browsers.open("ada")];
    for (let n = 2; n < limits.sessionsPerUserMax; n++) {
      pass(1);
      await sessions.open("ada");
    }
    pass(limits.sessionUseNotedMs);
    await browsers.find(first.value);
    pass(1);
    await sessions.open("ada");
    expect(await browsers.find(second.value)).toBeUndefined();
    expect(await browsers.find(first.value)).toBeDefined();
  });
}
