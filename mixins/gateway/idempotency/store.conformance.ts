import { expect, test } from "@jest/globals";
import { newId } from "../../kernel/index.ts";
import type { AnswerStore, Claim, HeldClaim } from "./store.ts";

const LEASE_MS = 60_000;
const claimOf = (scope: string, fingerprint = "a request"): HeldClaim => ({
  scope,
  fingerprint,
  owner: newId(),
  holder: "ann",
});

/** The suite that every store of answers passes. */
export function answerStoreConformance(open: () => Promise<AnswerStore>): void {
  const start = async () => {
    const store = await open();
    const scope = newId();
    return { store, scope, claim: (of: Claim = claimOf(scope), leaseMs = LEASE_MS) => store.claim(of, leaseMs) };
  };

  test("of fifty requests at once one owns the key, the others learn that it runs", async () => {
    const { claim } = await start();
    const claimed = await Promise.all(Array.from({ length: 50 }, () => claim()));
    const running = claimed.filter(({ state }) => state === "running") as { endsInMs: number }[];
    expect([claimed.filter(({ state }) => state === "owned").length, running.length]).toEqual([1, 49]);
    for (const { endsInMs } of running)
      expect([endsInMs > LEASE_MS - 30_000, endsInMs <= LEASE_MS]).toEqual([true, true]);
  });

  test("an answer is kept, and every repeat gets it", async () => {
    const { store, scope, claim } = await start();
    const first = claimOf(scope);
    await claim(first);
    const answer = JSON.stringify({ text: "ü 'quoted' \"\u2028 \\", nothing: null });
    expect(await store.finish(first, answer)).toBe(true);
    for (let n = 0; n < 2; n++) expect(await claim()).toEqual({ state: "done", answer });
  });

  test("an answer that is not kept is done all the same; an empty one is an answer", async () => {
    const { store, scope, claim } = await start();
    const first = claimOf(scope);
    await claim(first);
    await store.finish(first);
    expect(await claim()).toEqual({ state: "done" });
    const empty = claimOf(newId());
    await claim(empty);
    await store.finish(empty, "");
    expect(await claim({ ...empty, owner: newId() })).toEqual({ state: "done", answer: "" });
  });

  test("another request with the key is told so, while the first runs and when it is done", async () => {
    const { store, scope, claim } = await start();
    const first = claimOf(scope);
    await claim(first);
    const other = claimOf(scope, "another request");
    expect(await claim(other)).toEqual({ state: "other" });
    await store.finish(first, "{}");
    expect(await claim(other)).toEqual({ state: "other" });
  });

  test("a key that is given back is free, for any request", async () => {
    const { store, scope, claim } = await start();
    const first = claimOf(scope);
    await claim(first);
    await store.release(first);
    expect(await claim(claimOf(scope, "another request"))).toEqual({ state: "owned" });
  });

  test("a lease that has run out is taken over, and the old owner can neither finish nor give back", async () => {
    const { store, scope, claim } = await start();
    const [dead, next] = [claimOf(scope), claimOf(scope)];
    await claim(dead, 1);
    await new Promise(resolve => setTimeout(resolve, 20));
    const taken = await Promise.all([claim(next), claim(), claim()]);
    expect(taken.map(({ state }) => state).toSorted()).toEqual(["owned", "running", "running"]);
    expect(await store.finish(dead, '"late"')).toBe(false);
    await store.release(dead);
    const owner = taken[0].state === "owned";
    if (owner) expect(await store.finish(next, '"in time"')).toBe(true);
    expect((await claim()).state).toBe(owner ? "done" : "running");
  });

  test("what is done is not given back", async () => {
    const { store, scope, claim } = await start();
    const first = claimOf(scope);
    await claim(first);
    await store.finish(first, "1");
    await store.release(first);
    expect(await claim()).toEqual({ state: "done", answer: "1" });
  });

  test("keys of different scopes have nothing to do with each other", async () => {
    const { claim } = await start();
    expect([await claim(claimOf(newId())), await claim(claimOf(newId()))]).toEqual([
      { state: "owned" },
      { state: "owned" },
    ]);
  });
}
