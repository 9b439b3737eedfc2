// The order of verdicts while buckets move, on shards whose commits the test answers by hand.
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { BUCKETS, bucketOf, moved } from "./buckets.ts";
import type { BatchVerdict, CommittedBatch, Dialect } from "./dialect.ts";
import type { Append, Verdict } from "./event-store.ts";
import { shardedStore, type StoreShard } from "./sharded-store.ts";
import { storeOn } from "./store.ts";

const ok: BatchVerdict = { kind: "ok", version: 1, at: "2020-01-01T00:00:00.000Z" };
const fenced: BatchVerdict = { kind: "fenced" };
const STREAM = "s.1";
const BUCKET = bucketOf(STREAM);

function shardOf(number: number, owned: Set<number>) {
  const batches: { ids: (string | undefined)[]; answer: (verdict: BatchVerdict) => Promise<unknown> }[] = [];
  const dialect = {
    system: "sqlite" as const,
    lanes: 1,
    commit: (appends: readonly Append[]) =>
      new Promise<CommittedBatch>(resolve =>
        batches.push({
          ids: appends.map(({ commandId }) => commandId),
          answer: verdict => (resolve({ verdicts: appends.map(() => verdict), fencedUpkeep: [] }), turn().then(turn)),
        }),
      ),
    load: async (stream: string) => {
      if (!owned.has(bucketOf(stream))) throw moved(stream);
      return { version: 0, snapshot: undefined, events: [], quarantine: undefined, archived: false };
    },
    buckets: async () => [...owned].map(bucket => ({ bucket, isOwned: true })),
    sagaStart: async () => undefined,
    close: async () => {},
  } as unknown as Required<Dialect>;
  const shard: StoreShard = { number, place: `shard ${number}`, dialect, store: storeOn(dialect) };
  return { batches, owned, shard };
}

/** Two shards, of which the first owns all; `move` gives the stream's bucket to the second. */
async function scripted() {
  const [from, to] = [shardOf(0, new Set(Array.from({ length: BUCKETS }, (_, i) => i))), shardOf(1, new Set())];
  const store = await shardedStore([from.shard, to.shard]);
  const settled: string[] = [];
  const verdicts = new Map<string, Verdict>();
  const submit = (commandId: string, expectedVersion = 0, stream = STREAM) =>
    store.append(
      { stream, expectedVersion, commandId, kind: "do", fingerprint: "", events: [], metadata: "", answer: null },
      verdict => {
        settled.push(`${commandId} ${verdict.kind}`);
        verdicts.set(commandId, verdict);
      },
    );
  const move = () => {
    from.owned.delete(BUCKET);
    to.owned.add(BUCKET);
  };
  return { store, from, to, settled, verdicts, submit, move };
}

test("P2 what is fenced without being sent waits for what the stream has in flight", async () => {
  const { store, from, to, settled, verdicts, submit, move } = await scripted();
  submit("a");
  await turn();
  move();
  await store.load(STREAM, 1); // the map is read anew
  submit("b", 1);
  await turn();
  expect(settled).toEqual([]);
  expect(to.batches).toEqual([]);
  await from.batches[0]!.answer(ok);
  expect(settled).toEqual(["a ok", "b fenced"]);
  expect(verdicts.get("b")).toEqual({ kind: "fenced", unsent: true });
  submit("b", 1);
  await turn();
  expect(to.batches[0]!.ids).toEqual(["b"]);
});

test("a late `fenced` of the old owner does not take the new one out of the map", async () => {
  const { store, from, to, settled, submit, move } = await scripted();
  const neighbour = Array.from({ length: 100_000 }, (_, i) => `n.${i}`).find(name => bucketOf(name) === BUCKET)!;
  submit("late", 0, neighbour);
  await turn();
  move();
  await store.load(STREAM, 1);
  await from.batches[0]!.answer(fenced);
  submit("a");
  await turn();
  expect(to.batches[0]!.ids).toEqual(["a"]);
  await to.batches[0]!.answer(ok);
  expect(settled).toEqual(["late fenced", "a ok"]);
});

test("P2 nothing overtakes what is fenced, also when the bucket has come back meanwhile", async () => {
  const { store, from, to, settled, submit, move } = await scripted();
  submit("a");
  await turn();
  move();
  await store.load(STREAM, 1);
  submit("b", 1);
  to.owned.delete(BUCKET);
  from.owned.add(BUCKET);
  await store.load(STREAM, 1);
  submit("c", 2);
  await from.batches[0]!.answer(ok);
  expect(settled).toEqual(["a ok", "b fenced", "c fenced"]);
  expect([...from.batches.slice(1), ...to.batches]).toEqual([]);
});
