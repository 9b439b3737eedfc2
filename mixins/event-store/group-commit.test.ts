// The ordering rules, on a port whose commits the test answers by hand.
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "@jest/globals";
import { outcomeOf, Unavailable } from "../kernel/index.ts";
import type { BatchVerdict, CommittedBatch, Upkeep } from "./dialect.ts";
import type { Append, Verdict } from "./event-store.ts";
import { GroupCommit } from "./group-commit.ts";
import { limits } from "./limits.ts";

const append = (stream: string, commandId: string | undefined, expectedVersion = 0): Append => ({
  stream,
  expectedVersion,
  commandId,
  kind: "do",
  fingerprint: `f-${commandId}`,
  events: commandId === undefined ? [] : [{ type: "thing.done", schemaVersion: 1, data: "{}" }],
  metadata: "{}",
  answer: `answer of ${commandId}`,
});
const ok = (version: number): BatchVerdict => ({ kind: "ok", version, at: "2020-01-01T00:00:00.000Z" });
const conflict: BatchVerdict = { kind: "conflict" };

/** The stream whose bucket is elsewhere by now. */
const MOVED = "s.moved";

function scripted({ lanes = 1, batchAppends = 512 } = {}) {
  const batches: {
    ids: (string | undefined)[];
    upkeep: readonly Upkeep[];
    answer: (verdicts: BatchVerdict[]) => Promise<void>;
    fail: (error: Error) => Promise<void>;
  }[] = [];
  const settled: string[] = [];
  const verdicts = new Map<string, Verdict>();
  const port = {
    system: "sqlite" as const,
    lanes,
    commit: (appends: readonly Append[], upkeep: readonly Upkeep[]) =>
      new Promise<CommittedBatch>((resolve, reject) =>
        batches.push({
          ids: appends.map(({ commandId }) => commandId),
          upkeep,
          answer: verdicts => (
            resolve({ verdicts, fencedUpkeep: upkeep.filter(({ stream }) => stream === MOVED) }),
            turn().then(() => turn())
          ),
          fail: error => (reject(error), turn().then(() => turn())),
        }),
      ),
  };
  const commits = new GroupCommit(port, () => {}, batchAppends);
  const submit = (name: string, append: Append) =>
    commits.append(append, verdict => {
      settled.push(`${name} ${verdict.kind}`);
      verdicts.set(name, verdict);
    });
  return { commits, batches, settled, verdicts, submit };
}

test("appends of one tick of an idle store are one batch, those that wait behind it are the next", async () => {
  const { batches, submit } = scripted();
  submit("a", append("s.1", "a"));
  submit("b", append("s.2", "b"));
  await turn();
  submit("c", append("s.1", "c", 1));
  await turn();
  submit("d", append("s.3", "d"));
  await turn();
  expect(batches.map(({ ids }) => ids)).toEqual([["a", "b"]]);
  await batches[0]!.answer([ok(1), ok(1)]);
  expect(batches.map(({ ids }) => ids)).toEqual([
    ["a", "b"],
    ["c", "d"],
  ]);
});

test("half of what the last round held leaves before the end of the tick", async () => {
  const { batches, submit } = scripted();
  const round = async (from: number) => {
    for (let i = from; i < from + 64; i++) submit(`${i}`, append(`s.${i}`, `${i}`));
    for (let sent = -1; sent < batches.length;) {
      sent = batches.length;
      const last = batches.at(-1);
      await last?.answer(last.ids.map(() => ok(1)));
    }
  };
  await round(0);
  await round(64);
  expect(batches.map(({ ids }) => ids.length)).toEqual([16, 48, 24, 40]);
});

test("a batch has a limit; the rest keeps its order", async () => {
  const { batches, submit } = scripted({ batchAppends: 2 });
  for (const id of ["a", "b", "c"]) submit(id, append(`s.${id}`, id));
  await turn();
  await batches[0]!.answer([ok(1), ok(1)]);
  expect(batches.map(({ ids }) => ids)).toEqual([["a", "b"], ["c"]]);
});

test("P2 what waits behind a conflict on its stream is withdrawn and never sent, in order after the batch", async () => {
  const { batches, settled, submit } = scripted();
  submit("a", append("s.1", "a"));
  submit("b", append("s.2", "b"));
  await turn();
  submit("c", append("s.1", "c", 1));
  submit("d", append("s.2", "d", 1));
  submit("e", append("s.1", undefined, 2));
  await batches[0]!.answer([conflict, ok(1)]);
  expect(settled).toEqual(["a conflict", "b ok", "c conflict", "e conflict"]);
  expect(batches[1]!.ids).toEqual(["d"]);
});

test("P2 what waits behind a duplicate is withdrawn as a conflict", async () => {
  const { batches, settled, submit } = scripted();
  submit("a", append("s.1", "a"));
  await turn();
  submit("b", append("s.1", "b", 1));
  const first = { commandId: "a", kind: "do", fingerprint: "", version: 4, answer: null };
  await batches[0]!.answer([{ kind: "duplicate", first }]);
  expect(settled).toEqual(["a duplicate", "b conflict"]);
  expect(batches).toHaveLength(1);
});

test("an append that is decided anew while verdicts are settled goes out", async () => {
  const { commits, batches, submit } = scripted();
  commits.append(append("s.1", "a"), () => submit("a again", append("s.1", "a", 7)));
  await turn();
  submit("b", append("s.1", "b", 1));
  await batches[0]!.answer([conflict]);
  await turn();
  expect(batches[1]!.ids).toEqual(["a"]);
});

test("P3 a twin is not sent: it gets the first's answer, in its own turn", async () => {
  const { batches, settled, verdicts, submit } = scripted();
  submit("a", append("s.1", "a"));
  submit("twin", { ...append("s.1", "a", 1), fingerprint: "other", answer: "its own" });
  await turn();
  submit("late twin", append("s.1", "a", 2));
  expect(batches[0]!.ids).toEqual(["a"]);
  await batches[0]!.answer([ok(1)]);
  expect(settled).toEqual(["a ok", "twin duplicate", "late twin conflict"]);
  expect(verdicts.get("twin")).toMatchObject({
    kind: "duplicate",
    first: { commandId: "a", fingerprint: "f-a", version: 1, answer: "answer of a" },
  });
});

test("P3 the same command id on two streams is no twin", async () => {
  const { batches, submit } = scripted();
  submit("a", append("s.1", "a"));
  submit("b", append("s.2", "a"));
  await turn();
  expect(batches[0]!.ids).toEqual(["a", "a"]);
});

test("a twin ends its stream's part of the batch: what was decided on its effect does not go out with it", async () => {
  const { batches, settled, submit } = scripted();
  submit("a", append("s.1", "a"));
  submit("twin", append("s.1", "a", 1));
  submit("b", append("s.1", "b", 2));
  await turn();
  expect(batches[0]!.ids).toEqual(["a"]);
  await batches[0]!.answer([ok(1)]);
  expect(settled).toEqual(["a ok", "twin duplicate", "b conflict"]);
});

test("a twin of a failed append gets its verdict", async () => {
  const { batches, settled, submit } = scripted();
  submit("a", append("s.1", "a"));
  submit("twin", append("s.1", "a"));
  await turn();
  await batches[0]!.answer([conflict]);
  expect(settled).toEqual(["a conflict", "twin conflict"]);
});

test("a commit that throws fails its batch and what waits for its streams; others go on", async () => {
  const { batches, settled, verdicts, submit } = scripted();
  submit("a", append("s.1", "a"));
  await turn();
  submit("b", append("s.1", "b", 1));
  submit("c", append("s.2", "c"));
  await batches[0]!.fail(new Unavailable("STORE_UNAVAILABLE", { outcome: "unknown" }));
  expect(settled).toEqual(["a failed", "b failed"]);
  const outcome = (name: string) => outcomeOf((verdicts.get(name) as { error?: Error }).error);
  expect([outcome("a"), outcome("b")]).toEqual(["unknown", "none"]);
  expect(batches[1]!.ids).toEqual(["c"]);
  await batches[1]!.fail(new Unavailable("STORE_UNAVAILABLE"));
  expect(outcome("c")).toBe("none");
  // An error that does not tell the batch's outcome has not ruled out that it is stored.
  submit("d", append("s.4", "d"));
  await turn();
  await batches[2]!.fail(new Error("disk on fire"));
  submit("e", append("s.5", "e"));
  await turn();
  await batches[3]!.answer([]);
  expect([outcome("d"), outcome("e")]).toEqual(["unknown", "unknown"]);
});

test("P2 what waits behind a fenced append is fenced, and says that it was not sent", async () => {
  const { batches, verdicts, submit } = scripted();
  submit("a", append("s.1", "a"));
  await turn();
  submit("b", append("s.1", "b", 1));
  await batches[0]!.answer([{ kind: "fenced" }]);
  expect([verdicts.get("a"), verdicts.get("b")]).toEqual([{ kind: "fenced" }, { kind: "fenced", unsent: true }]);
  expect(batches).toHaveLength(1);
});

test("small writes go in bounded parts, by number and by the size of snapshots, in their order", async () => {
  const { commits, batches } = scripted();
  const snapshot = (i: number, state: string) =>
    commits.write({ kind: "snapshot", stream: `s.${i}`, snapshot: { version: 1, schema: 1, state } });
  const [half, whole] = ["x".repeat(limits.batchUpkeepChars / 2), "x".repeat(limits.batchUpkeepChars + 1)];
  const writes = [half, half, half, whole].map((state, i) => snapshot(i, state));
  for (let i = 4; i < 4 + limits.batchUpkeep; i++) writes.push(snapshot(i, "{}"));
  await turn();
  for (let sent = 0; sent < batches.length; sent++) await batches[sent]!.answer([]);
  await Promise.all(writes);
  const sizes = batches.map(({ upkeep }) => upkeep.length);
  expect(sizes).toEqual([2, 1, 1, limits.batchUpkeep]);
  expect(batches.flatMap(({ upkeep }) => upkeep.map(({ stream }) => stream))).toEqual(writes.map((_, i) => `s.${i}`));
});

test("small writes ride with the next batch and resolve with it", async () => {
  const { commits, batches, submit } = scripted();
  submit("a", append("s.1", "a"));
  await turn();
  const written = Promise.all([
    commits.write({ kind: "release", stream: "s.9" }),
    commits.write({ kind: "quarantine", stream: "s.8", reason: "r" }),
  ]);
  submit("b", append("s.2", "b"));
  await batches[0]!.answer([ok(1)]);
  expect(batches[1]).toMatchObject({ ids: ["b"], upkeep: [{ kind: "release" }, { kind: "quarantine" }] });
  await batches[1]!.answer([ok(1)]);
  await written;
});

test("a small write whose bucket has moved rejects, so that its new owner is asked; its neighbours are written", async () => {
  const { commits, batches } = scripted();
  const moved = commits.write({ kind: "release", stream: MOVED });
  const written = commits.write({ kind: "release", stream: "s.1" });
  await turn();
  const rejected = expect(moved).rejects.toMatchObject({ type: "BUCKET_MOVED" });
  await batches[0]!.answer([]);
  await rejected;
  await written;
});

test("P2 a stream stays in its lane: with several in flight, never two of one stream", async () => {
  const { batches, submit } = scripted({ lanes: 2 });
  for (let i = 0; i < 16; i++) submit(`${i}`, append(`s.${i}`, `${i}`));
  await turn();
  expect(batches).toHaveLength(2);
  for (let i = 0; i < 16; i++) submit(`${i}+`, append(`s.${i}`, `${i}+`, 1));
  await turn();
  expect(batches).toHaveLength(2);
  await batches[0]!.answer(batches[0]!.ids.map(() => ok(1)));
  expect(batches[2]!.ids).toEqual(batches[0]!.ids.map(id => `${id}+`));
});

test("P1 closing waits for what is queued; what comes later fails without effect, after what is in flight", async () => {
  const { commits, batches, settled, verdicts, submit } = scripted();
  submit("a", append("s.1", "a"));
  let isClosed = false;
  const closing = commits.close().then(() => (isClosed = true));
  submit("late", append("s.1", "b", 1));
  expect(settled).toEqual([]);
  await turn();
  expect(isClosed).toBe(false);
  // Told at once, it would be taken for the verdict of `a`.
  expect(settled).toEqual([]);
  await batches[0]!.answer([ok(1)]);
  await closing;
  expect(settled).toEqual(["a ok", "late failed"]);
  expect(outcomeOf((verdicts.get("late") as { error?: Error }).error)).toBe("none");
  await expect(commits.write({ kind: "release", stream: "s.1" })).rejects.toMatchObject({ type: "STORE_CLOSED" });
});

test("a batch is bounded by what its events hold as well; what is over goes with the next", async () => {
  const { batches, submit } = scripted();
  const large = { type: "thing.done", schemaVersion: 1, data: "x".repeat(9_000_000) };
  for (const name of ["a", "b", "c", "d"]) submit(name, { ...append(`s.${name}`, name), events: [large] });
  submit("small", append("s.small", "small"));
  await turn();
  expect(batches.map(({ ids }) => ids)).toEqual([["a", "b"]]);
  await batches[0]!.answer([ok(1), ok(1)]);
  expect(batches[1]!.ids).toEqual(["c", "d"]);
  await batches[1]!.answer([ok(1), ok(1)]);
  expect(batches[2]!.ids).toEqual(["small"]);
  await batches[2]!.answer([ok(1)]);
});
