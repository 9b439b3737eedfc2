import { expect, test } from "@jest/globals";
import { Authenticator } from "./authentication.ts";
import { ISSUER, newSigner } from "../gateway.fixture.ts";
import { limits } from "../limits.ts";

async function authenticator() {
  const signer = await newSigner("key-1");
  const time = { now: Date.now(), monotonic: 0 };
  const state = { keys: [signer.jwk], fetches: 0, down: false };
  const authenticator = new Authenticator({
    issuer: ISSUER,
    clock: { now: () => time.now, monotonic: () => time.monotonic },
    fetchKeys: () => {
      state.fetches++;
      if (state.down) return Promise.reject(new Error("accounts is not there"));
      return Promise.resolve({ keys: state.keys });
    },
  });
  const pass = (ms: number) => {
    time.now += ms;
    time.monotonic += ms;
  };
  const ask = async (token: string) => (await authenticator.authenticate(`Bearer ${token}`)).user.id;
  const remembers = (token: string) => authenticator.remembers(`Bearer ${token}`);
  return { signer, state, pass, ask, remembers };
}
const claims = { sub: "ann", roles: ["reader"] };

test("keys are fetched once for many tokens, also at the same time", async () => {
  const { signer, state, ask } = await authenticator();
  const tokens = await Promise.all(Array.from({ length: 20 }, () => signer.sign(claims)));
  expect(new Set(await Promise.all(tokens.map(ask)))).toEqual(new Set(["ann"]));
  expect(state.fetches).toBe(1);
});

test("a new key is found by its unknown id, but unknown ids fetch at most every few seconds", async () => {
  const { signer, state, pass, ask } = await authenticator();
  await ask(await signer.sign(claims));
  const second = await newSigner("key-2");
  state.keys.push(second.jwk);
  await expect(ask(await second.sign(claims))).rejects.toMatchObject({ type: "INVALID_TOKEN" });
  expect(state.fetches).toBe(1);
  pass(limits.keysPauseMs);
  expect(await ask(await second.sign(claims))).toBe("ann");
  const stranger = await newSigner("key-3");
  for (let i = 0; i < 10; i++) await expect(ask(await stranger.sign(claims))).rejects.toThrow();
  expect(state.fetches).toBe(2);
});

test("a withdrawn key is forgotten in minutes, a verified token within one", async () => {
  const { signer, state, pass, ask } = await authenticator();
  const token = await signer.sign(claims);
  await ask(token);
  state.keys = [(await newSigner("key-2")).jwk];
  pass(limits.tokenCacheMs - 1);
  expect(await ask(token)).toBe("ann");
  pass(limits.keysMaxAgeMs);
  await expect(ask(token)).rejects.toMatchObject({ type: "INVALID_TOKEN" });
});

test("a verified token is known to be no guess until it ends, or is refused; a wrong one never is", async () => {
  const { signer, state, pass, ask, remembers } = await authenticator();
  const token = await signer.sign(claims);
  expect(remembers(token)).toBe(false);
  await ask(token);
  pass(2 * limits.tokenCacheMs);
  expect(remembers(token)).toBe(true);
  const wrong = await (await newSigner("key-1")).sign(claims);
  await expect(ask(wrong)).rejects.toThrow();
  expect(remembers(wrong)).toBe(false);
  state.keys = [(await newSigner("key-2")).jwk];
  pass(limits.keysMaxAgeMs);
  await expect(ask(token)).rejects.toThrow();
  expect(remembers(token)).toBe(false);
  state.keys = [signer.jwk];
  pass(limits.keysMaxAgeMs);
  await ask(token).catch(() => {});
  pass(3_600_000);
  expect(remembers(token)).toBe(false);
});

test("a remembered token expires with its claims", async () => {
  const { signer, pass, ask } = await authenticator();
  const token = await signer.sign(claims, {}, "10s");
  expect(await ask(token)).toBe("ann");
  pass(10_000 + 1_000 * (limits.clockToleranceSeconds + 1));
  await expect(ask(token)).rejects.toMatchObject({ type: "INVALID_TOKEN", code: 401 });
});

test("keys that cannot be fetched are not the client's fault", async () => {
  const { signer, state, ask } = await authenticator();
  state.down = true;
  await expect(ask(await signer.sign(claims))).rejects.toThrow("accounts is not there");
  state.down = false;
  expect(await ask(await signer.sign(claims))).toBe("ann");
});

test("the user has the session that the token names, and none when it names none", async () => {
  const signer = await newSigner("key-1");
  const clock = { now: () => Date.now(), monotonic: () => 0 };
  const verifier = new Authenticator({ issuer: ISSUER, clock, fetchKeys: async () => ({ keys: [signer.jwk] }) });
  const userOf = async (more: object) =>
    (await verifier.authenticate(`Bearer ${await signer.sign({ ...claims, ...more })}`)).user;
  expect(await userOf({ sid: "session-1" })).toEqual({ id: "ann", roles: ["reader"], session: "session-1" });
  for (const more of [{}, { sid: 7 }, { sid: null }])
    expect(await userOf(more)).toEqual({ id: "ann", roles: ["reader"] });
});
