import { expect, test } from "@jest/globals";
import { Refusal } from "../../kernel/index.ts";
import { limits } from "../limits.ts";
import type { Verified } from "./authentication.ts";
import { Exchanges } from "./exchanges.ts";

const LIFE_MS = 90_000;

function start() {
  const time = { now: 1_000_000 };
  const asked: { credential: string; answer: (user?: string) => void; refuse: () => void }[] = [];
  const exchange = (_kind: string, credential: string) =>
    new Promise<Verified>((resolve, reject) =>
      asked.push({
        credential,
        answer: (user = "ann") =>
          resolve({ user: { id: user, roles: [] }, expiresAt: time.now + LIFE_MS, token: `token ${asked.length}` }),
        refuse: () => reject(new Refusal("BAD_CREDENTIAL", { status: 401 })),
      }),
    );
  const clock = { now: () => time.now, monotonic: () => time.now };
  const exchanges = new Exchanges(exchange, clock);
  return { exchanges, asked, time };
}

test("requests with one credential share an exchange, and later ones its answer, until shortly before its end", async () => {
  const { exchanges, asked, time } = start();
  const all = [exchanges.of("key", "a"), exchanges.of("key", "a"), exchanges.of("key", "b")];
  expect(asked.map(({ credential }) => credential)).toEqual(["a", "b"]);
  for (const { answer } of asked) answer();
  expect(new Set((await Promise.all(all)).map(({ token }) => token)).size).toBe(1);
  await exchanges.of("key", "a");
  time.now += LIFE_MS - limits.exchangeMarginMs - 1;
  await exchanges.of("key", "a");
  expect(asked).toHaveLength(2);
  time.now += 1;
  void exchanges.of("key", "a");
  expect(asked).toHaveLength(3);
});

test("a text is another credential where it is of another kind", () => {
  const { exchanges, asked } = start();
  void exchanges.of("key", "a");
  void exchanges.of("session", "a");
  expect(asked).toHaveLength(2);
});

test("a refusal reaches all that wait for it, and is not remembered", async () => {
  const { exchanges, asked } = start();
  const all = [exchanges.of("key", "a"), exchanges.of("key", "a")];
  asked[0]!.refuse();
  for (const each of all) await expect(each).rejects.toMatchObject({ type: "BAD_CREDENTIAL" });
  void exchanges.of("key", "a");
  expect(asked).toHaveLength(2);
});

test("what is known of a user is forgotten, and of no other", async () => {
  const { exchanges, asked } = start();
  const all = [exchanges.of("key", "a"), exchanges.of("key", "b")];
  asked[0]!.answer("ann");
  asked[1]!.answer("bob");
  await Promise.all(all);
  exchanges.forget("ann");
  void exchanges.of("key", "a");
  void exchanges.of("key", "b");
  expect(asked.map(({ credential }) => credential)).toEqual(["a", "b", "a"]);
});

test("an exchange that began before a change is neither joined nor remembered after it", async () => {
  const { exchanges, asked } = start();
  const before = exchanges.of("key", "a");
  exchanges.forget("ann");
  const after = exchanges.of("key", "a");
  expect(asked).toHaveLength(2);
  asked[0]!.answer();
  await before;
  void exchanges.of("key", "a");
  expect(asked).toHaveLength(2);
  asked[1]!.answer();
  await after;
  await exchanges.of("key", "a");
  expect(asked).toHaveLength(2);
});

test("an exchange that began before a change is not remembered when it ends after it, though nobody has asked since", async () => {
  const { exchanges, asked } = start();
  const before = exchanges.of("key", "a");
  exchanges.forget("ann");
  asked[0]!.answer();
  await before;
  void exchanges.of("key", "a");
  expect(asked).toHaveLength(2);
});

test("a credential in use is known to be no guess, through changes of its user, until it is refused or long unused", async () => {
  const { exchanges, asked, time } = start();
  const use = async (end: "answer" | "refuse") => {
    const used = exchanges.of("key", "a");
    asked.at(-1)![end]();
    await used.catch(() => {});
    return exchanges.remembers("key", "a");
  };
  expect(exchanges.remembers("key", "a")).toBe(false);
  expect(await use("answer")).toBe(true);
  time.now += limits.credentialKnownMs - 1;
  exchanges.forget("ann");
  expect(exchanges.remembers("key", "a")).toBe(true);
  expect(await use("answer")).toBe(true);
  time.now += limits.credentialKnownMs - 1;
  expect(exchanges.remembers("key", "a")).toBe(true);
  time.now += 1;
  expect(exchanges.remembers("key", "a")).toBe(false);
  expect(await use("answer")).toBe(true);
  time.now += LIFE_MS;
  expect(await use("refuse")).toBe(false);
});

test("a caller asks again for its own credential", async () => {
  const { exchanges, asked, time } = start();
  const first = exchanges.of("session", "a");
  asked[0]!.answer();
  const { renew } = await first;
  time.now += LIFE_MS;
  const second = renew!();
  expect(asked.map(({ credential }) => credential)).toEqual(["a", "a"]);
  asked[1]!.answer();
  expect((await second).expiresAt).toBe(time.now + LIFE_MS);
});
