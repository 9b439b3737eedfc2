import { setTimeout as sleep } from "node:timers/promises";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Errors } from "moleculer";
import type { Append, EventStore, Verdict } from "../event-store/index.ts";
import { openEventStore } from "../event-store/mixin.ts";
import { newDatabases, type Databases } from "../../test/databases.ts";
import { query } from "../../test/servers/postgres.ts";
import { autoCommandId, readEnvironment, Unavailable, type DatabaseLocation } from "../kernel/index.ts";
import { contract, Purse, quoting } from "./account.fixture.ts";
import { defineActor, type Actor } from "./index.ts";
import { ActorHost, type HostOptions } from "./mixin.ts";

let databases: Databases;
let store: EventStore;
const hosts: ActorHost[] = [];
const bugs: unknown[] = [];

/** A node: its own activations on the shared store. */
function node(options: Partial<HostOptions> = {}, actor: Actor = Purse, on: EventStore = store): ActorHost {
  const host = new ActorHost(actor, on, { logger: { error: (...bug) => void bugs.push(bug) }, broker: {}, ...options });
  hosts.push(host);
  return host;
}

/** The store with its verdicts held back: what the database has committed, the node does not know yet. */
function gated(): { store: EventStore; open(): void; close(): void; readonly held: number } {
  let open = true;
  const held: (() => void)[] = [];
  const gate = Object.create(store) as EventStore;
  gate.append = (append: Append, settle: (verdict: Verdict) => void) =>
    store.append(append, verdict => (open ? settle(verdict) : void held.push(() => settle(verdict))));
  for (const name of ["load", "readStream", "findCommand", "saveSnapshot", "quarantine"] as const)
    gate[name] = ((...args: never[]) => (store[name] as (...args: never[]) => unknown)(...args)) as never;
  return {
    store: gate,
    open: () => {
      open = true;
      for (const release of held.splice(0)) release();
    },
    close: () => void (open = false),
    get held() {
      return held.length;
    },
  };
}

const location = (): DatabaseLocation => readEnvironment(databases.env).databaseOf("purses");
/** What another program reads in the store's database, or does to it. */
async function sql(statement: string): Promise<Record<string, unknown>[]> {
  const where = location();
  if (where.kind === "postgres") return query(`${where.shards[0]}?options=-csearch_path%3D${where.schema}`, statement);
  const database = new DatabaseSync(where.filename, { timeout: 5_000 });
  try {
    return database.prepare(statement).all();
  } finally {
    database.close();
  }
}
const recordedIds = async (): Promise<unknown[]> =>
  (await sql("select command_id from commands")).map(row => row["command_id"]);

const until = async (condition: () => boolean | Promise<boolean>, ms = 5_000): Promise<void> => {
  for (const end = Date.now() + ms; !(await condition()); await sleep(2))
    if (Date.now() > end) throw new Error("waited in vain");
};
const typeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "ok",
    (error: Error & { type?: string }) => error.type ?? error.message,
  );
const eventsOf = async (id: string): Promise<string[]> =>
  (await store.readStream(`purse.${id}`, 1, 1_000)).map(({ type, data }) =>
    `${type} ${JSON.parse(data).amount ?? ""}`.trim(),
  );

beforeEach(async () => {
  databases = await newDatabases();
  store = await openEventStore(location());
  bugs.length = quoting.times = 0;
  quoting.quote = async () => 1;
});
afterEach(async () => {
  for (const host of hosts.splice(0)) await host.drain();
  await store.close();
  await databases.remove();
});

describe("commands", () => {
  test("P1 a reply leaves after its commit, while the next commands are decided on its state already", async () => {
    const gate = gated();
    const host = node({}, Purse, gate.store);
    await host.get("a");
    gate.close();
    let replied = false;
    const earned = host.execute("a", "earn", { amount: 5 }).then(reply => ((replied = true), reply));
    const spent = host.execute("a", "spend", { amount: 4 });
    await until(() => gate.held === 2);
    expect(replied).toBe(false);
    gate.open();
    expect(await earned).toEqual({ id: "a", version: 1 });
    expect(await spent).toEqual({ id: "a", version: 2, balance: 1 });
  });

  test("P3 a commit whose reply was lost, and whose stream has moved meanwhile, is not decided on its own effect", async () => {
    const moving = gated().store;
    const append = moving.append.bind(moving);
    const host = node({}, Purse, moving);
    await host.execute("a", "earn", { amount: 5 });
    moving.append = (one, settle) => {
      moving.append = append;
      append(one, () => settle({ kind: "fenced" }));
    };
    // Decided on what it did itself, it would be refused: the purse is empty.
    expect(await host.execute("a", "spend", { amount: 5 })).toEqual({ id: "a", version: 2, balance: 0 });
    expect(await eventsOf("a")).toEqual(["purse.earned 5", "purse.spent 5"]);
  });

  test("P3 a node whose reply was lost sends the command again: it gets its first answer, not a decision on its own effect", async () => {
    const [here, there] = [node(), node()];
    await here.execute("a", "earn", { amount: 5 });
    const commandId = autoCommandId();
    const first = await here.execute("a", "spend", { amount: 5 }, { commandId });
    expect(await there.execute("a", "spend", { amount: 5 }, { commandId, repeated: true })).toEqual(first);
    expect(await eventsOf("a")).toEqual(["purse.earned 5", "purse.spent 5"]);
  });

  test("P2 a stale owner loses, loads anew and decides what it lost again, in the original order", async () => {
    const [here, there] = [node(), node()];
    await here.execute("a", "earn", { amount: 5 });
    await there.execute("a", "spend", { amount: 5 });
    const answers = await Promise.all([
      typeOf(here.execute("a", "spend", { amount: 1 })),
      typeOf(here.execute("a", "earn", { amount: 7 })),
      typeOf(here.execute("a", "spend", { amount: 7 })),
    ]);
    expect(answers).toEqual(["NOT_ENOUGH", "ok", "ok"]);
    expect(await eventsOf("a")).toEqual(["purse.earned 5", "purse.spent 5", "purse.earned 7", "purse.spent 7"]);
    expect(here.counts.conflicts).toBeGreaterThan(0);
  });

  test("P2 two owners at once are slow, never wrong", async () => {
    const nodes = [node(), node(), node()];
    const rounds = Array.from({ length: 150 }, (_, i) =>
      nodes[i % 3]!.execute("a", "earn", { amount: 1 }).catch((error: { type: string }) => error.type),
    );
    const answers = await Promise.all(rounds);
    const done = answers.filter(answer => typeof answer === "object").length;
    expect(answers.filter(answer => typeof answer === "string" && answer !== "CONTENTION")).toEqual([]);
    expect((await nodes[0]!.get("a", { consistent: true })).state.balance).toBe(done);
    expect(await eventsOf("a")).toHaveLength(done);
  });

  test("a refusal of a stale owner does not leave: the stream's head is checked first", async () => {
    const [here, there] = [node(), node()];
    await here.get("a");
    await there.execute("a", "earn", { amount: 5 });
    expect(await here.execute("a", "spend", { amount: 5 })).toEqual({ id: "a", version: 2, balance: 0 });
  });

  test("that nothing has to be done does not leave a stale owner either: there may be something by now", async () => {
    const [here, there] = [node(), node()];
    await here.get("a");
    await there.execute("a", "earn", { amount: 5 });
    expect(await here.execute("a", "clear", {})).toEqual({ id: "a", version: 2 });
    expect(await eventsOf("a")).toEqual(["purse.earned 5", "purse.spent 5"]);
  });

  test("a refusal that saw a state which was lost is decided again", async () => {
    const [here, there] = [node(), node()];
    await here.execute("a", "earn", { amount: 1 });
    await there.execute("a", "earn", { amount: 9 });
    const spent = here.execute("a", "spend", { amount: 1 });
    const more = here.execute("a", "spend", { amount: 9 });
    expect(await spent).toEqual({ id: "a", version: 3, balance: 9 });
    expect(await more).toEqual({ id: "a", version: 4, balance: 0 });
  });

  test("what lost is decided again before what came later", async () => {
    const gate = gated();
    const [here, there] = [node({}, Purse, gate.store), node()];
    await here.get("a");
    await there.execute("a", "earn", { amount: 1 });
    let arrive = (): void => {};
    const loading = new Promise<void>(resolve => {
      gate.store.load = async (...args) => {
        resolve();
        await new Promise<void>(arrived => (arrive = arrived));
        return store.load(...args);
      };
    });
    const lost = here.execute("a", "earn", { amount: 2 });
    await loading;
    const later = here.execute("a", "earn", { amount: 3 });
    arrive();
    await Promise.all([lost, later]);
    expect(await eventsOf("a")).toEqual(["purse.earned 1", "purse.earned 2", "purse.earned 3"]);
  });

  test("decided again five times in vain, a command is unavailable with outcome none", async () => {
    const contended = gated().store;
    contended.append = (_append, settle) => queueMicrotask(() => settle({ kind: "conflict" }));
    const host = node({}, Purse, contended);
    await expect(host.execute("a", "earn", { amount: 1 })).rejects.toMatchObject({
      type: "CONTENTION",
      data: { outcome: "none" },
    });
    expect(host.counts.conflicts).toBe(6);
  });

  test("what stood on a commit that failed is void: the next command is decided on the stored state", async () => {
    const gate = gated();
    const host = node({}, Purse, gate.store);
    await host.execute("a", "earn", { amount: 1 });
    gate.store.append = (_append, settle) => {
      gate.store.append = (...args) => store.append(...args);
      queueMicrotask(() => settle({ kind: "failed", error: new Unavailable("STORE_UNAVAILABLE") }));
    };
    expect(await typeOf(host.execute("a", "earn", { amount: 9 }))).toBe("STORE_UNAVAILABLE");
    expect(await host.execute("a", "spend", { amount: 1 })).toEqual({ id: "a", version: 2, balance: 0 });
    expect(host.counts.conflicts).toBe(0);
  });

  test("bad decisions of the definition are a bug of one command, the actor lives on", async () => {
    const host = node();
    expect(await typeOf(host.execute("a", "crash", {}))).toBe("DECISION_FAILED");
    expect(bugs).toHaveLength(1);
    expect(await host.execute("a", "earn", { amount: 1 })).toEqual({ id: "a", version: 1 });
  });

  test("a full mailbox and a passed deadline are unavailable with outcome none, and nothing is decided", async () => {
    const gate = gated();
    const host = node({ limits: { mailboxSlots: 2 } }, Purse, gate.store);
    await host.get("a");
    gate.close();
    const first = [host.execute("a", "earn", { amount: 1 }), host.execute("a", "earn", { amount: 1 })];
    const third = await host.execute("a", "earn", { amount: 1 }).catch((error: unknown) => error);
    expect(third).toMatchObject({
      type: "MAILBOX_FULL",
      retryable: true,
      data: { outcome: "none", retryAfterMs: 100 },
    });
    await until(() => gate.held === 2);
    gate.open();
    await Promise.all(first);
    const late = host.execute("a", "earn", { amount: 1 }, { deadline: performance.now() - 1 });
    await expect(late).rejects.toMatchObject({ type: "DEADLINE_PASSED", data: { outcome: "none" } });
    expect(await eventsOf("a")).toHaveLength(2);
  });

  test("a command that joins its twin takes a place in the mailbox as well", async () => {
    const gate = gated();
    const host = node({ limits: { mailboxSlots: 1 } }, Purse, gate.store);
    await host.get("a");
    gate.close();
    const earn = () => host.execute("a", "earn", { amount: 1 }, { commandId: "client:u:1" });
    const first = earn();
    expect(await typeOf(earn())).toBe("MAILBOX_FULL");
    gate.open();
    await first;
  });

  test("after a conflict the next commits go one by one, so that two owners do not roll back each other for ever", async () => {
    const gate = gated();
    const [here, there] = [node({ limits: { cautiousCommits: 2 } }, Purse, gate.store), node()];
    await here.get("a");
    await there.execute("a", "earn", { amount: 1 });
    await here.execute("a", "earn", { amount: 1 }); // conflict, then the first cautious commit
    gate.close();
    const two = [host2(here), host2(here)];
    await until(() => gate.held === 1);
    await sleep(20);
    expect(gate.held).toBe(1);
    gate.open();
    await Promise.all(two);
    gate.close();
    const four = [host2(here), host2(here)];
    await until(() => gate.held === 2);
    gate.open();
    await Promise.all(four);
  });
  const host2 = (host: ActorHost) => host.execute("a", "earn", { amount: 1 });
});

describe("command ids", () => {
  const key = { commandId: "client:u1:k1" };

  test("P3 a repetition gets the first answer: in flight, recent, after passivation and at another node", async () => {
    const host = node({ limits: { recentCommands: 0 } });
    await host.execute("a", "earn", { amount: 9 });
    const [first, twin] = await Promise.all([
      host.execute("a", "spend", { amount: 4 }, key),
      host.execute("a", "spend", { amount: 4 }, key),
    ]);
    expect(twin).toEqual(first);
    expect(await host.execute("a", "spend", { amount: 4 }, key)).toEqual(first);
    expect(await node().execute("a", "spend", { amount: 4 }, key)).toEqual(first);
    expect(await eventsOf("a")).toEqual(["purse.earned 9", "purse.spent 4"]);
  });

  test("P3 a repetition in flight or of a recent command is not decided again", async () => {
    const host = node();
    await Promise.all([host.execute("a", "earn", { amount: 4 }, key), host.execute("a", "earn", { amount: 4 }, key)]);
    await host.execute("a", "earn", { amount: 4 }, key);
    expect(host.counts).toMatchObject({ commands: 1, conflicts: 0 });
  });

  test("P3 that nothing had to be done is repeated as well, also when there is something to do today", async () => {
    const first = await node().execute("a", "clear", {}, key);
    expect(first).toEqual({ id: "a", version: 0 });
    await node().execute("a", "earn", { amount: 9 });
    expect(await node().execute("a", "clear", {}, key)).toEqual(first);
    expect(await eventsOf("a")).toEqual(["purse.earned 9"]);
  });

  test("without an id that others know, only what happened is recorded", async () => {
    const host = node();
    expect(await typeOf(host.execute("a", "spend", { amount: 1 }))).toBe("NOT_ENOUGH");
    await host.execute("a", "clear", {});
    expect(await recordedIds()).toEqual([]);
    await host.execute("a", "earn", { amount: 1 });
    expect(await recordedIds()).toEqual([expect.stringMatching(/^auto:/)]);
  });

  test("what was never decided is not recorded: a passed deadline, a full mailbox, a bug", async () => {
    const host = node();
    expect(await typeOf(host.execute("a", "earn", { amount: 1 }, { ...key, deadline: -1 }))).toBe("DEADLINE_PASSED");
    const full = node({ limits: { mailboxSlots: 0 } });
    expect(await typeOf(full.execute("a", "earn", { amount: 1 }, key))).toBe("MAILBOX_FULL");
    expect(await typeOf(host.execute("a", "crash", {}, { commandId: "client:u1:k2" }))).toBe("DECISION_FAILED");
    expect(await recordedIds()).toEqual([]);
    expect(await host.execute("a", "earn", { amount: 1 }, key)).toEqual({ id: "a", version: 1 });
  });

  test("a repetition found by the store leaves the actor where the store is, with no conflict after it", async () => {
    const gate = gated();
    const [here, there] = [node(), node({}, Purse, gate.store)];
    let loads = 0;
    gate.store.load = (...args) => (loads++, store.load(...args));
    const first = await here.execute("a", "earn", { amount: 4 }, key);
    expect(await typeOf(here.execute("a", "spend", { amount: 9 }, { commandId: "client:u1:k2" }))).toBe("NOT_ENOUGH");
    // Nothing stands on a repeated refusal, so nothing is loaded anew for it.
    expect(await typeOf(there.execute("a", "spend", { amount: 9 }, { commandId: "client:u1:k2" }))).toBe("NOT_ENOUGH");
    expect(loads).toBe(1);
    expect(await there.execute("a", "earn", { amount: 4 }, key)).toEqual(first);
    expect(await there.execute("a", "spend", { amount: 4 })).toEqual({ id: "a", version: 2, balance: 0 });
    expect(there.counts.conflicts).toBe(0);
  });

  test("P3 a refusal is repeated word for word, also when the domain would say yes today", async () => {
    const host = node();
    const spend = () => host.execute("a", "spend", { amount: 4 }, key).catch((error: object) => ({ ...error }));
    const first = await spend();
    expect(first).toMatchObject({ type: "NOT_ENOUGH", data: { errors: [{ field: "amount", message: "only 0" }] } });
    await host.execute("a", "earn", { amount: 9 });
    expect(await spend()).toEqual(first);
    expect(
      await node()
        .execute("a", "spend", { amount: 4 }, key)
        .catch((error: object) => ({ ...error })),
    ).toEqual(first);
  });

  test("P3 an id that is used for something else is refused, in flight and later", async () => {
    const host = node();
    const first = host.execute("a", "earn", { amount: 4 }, key);
    expect(await typeOf(host.execute("a", "earn", { amount: 5 }, key))).toBe("COMMAND_ID_REUSED");
    await first;
    expect(await typeOf(host.execute("a", "both", { amount: 4 }, key))).toBe("COMMAND_ID_REUSED");
    expect(await typeOf(node().execute("a", "earn", { amount: 5 }, key))).toBe("COMMAND_ID_REUSED");
  });

  test("the order of keys in params does not make another command", async () => {
    const host = node();
    const first = await host.execute("a", "both", { amount: 4, extra: 1 }, key);
    expect(await host.execute("a", "both", { extra: 1, amount: 4 }, key)).toEqual(first);
  });

  test("a command that was abandoned before it arrived does nothing when it arrives", async () => {
    const host = node();
    expect(await host.abandon("a", "saga:1/reserve/1")).toEqual({ executed: false });
    const late = node().execute("a", "earn", { amount: 1 }, { commandId: "saga:1/reserve/1" });
    expect(await typeOf(late)).toBe("ABANDONED");
    expect(await host.abandon("a", "saga:1/reserve/1")).toMatchObject({ executed: false });
    expect(await eventsOf("a")).toEqual([]);
  });

  test("abandoning a command that was executed tells its answer", async () => {
    const host = node();
    await host.execute("a", "earn", { amount: 3 });
    await host.execute("a", "spend", { amount: 2 }, key);
    const told = { executed: true, answer: { id: "a", version: 2, balance: 1 } };
    expect(await host.abandon("a", key.commandId)).toEqual(told);
    expect(await node().abandon("a", key.commandId)).toEqual(told);
  });

  test.each([
    ["overlong", "x".repeat(300), "COMMAND_ID_TOO_LONG"],
    ["empty", "", "BAD_COMMAND_ID"],
    ["with a NUL", "client:u:\0", "BAD_COMMAND_ID"],
    ["with a line break", "client:u:1\n", "BAD_COMMAND_ID"],
    ["with half a character", "client:u:\ud83d", "BAD_COMMAND_ID"],
  ])("a command id that is %s is refused before anything happens, and fails no neighbour", async (_what, id, code) => {
    const host = node();
    const neighbour = host.execute("b", "earn", { amount: 1 });
    expect(await typeOf(host.execute("a", "earn", { amount: 1 }, { commandId: id }))).toBe(code);
    expect(await typeOf(host.abandon("a", id))).toBe(code);
    expect(await neighbour).toEqual({ id: "b", version: 1 });
    expect(await eventsOf("a")).toEqual([]);
  });
});

describe("prepare", () => {
  test("the mailbox waits, what was prepared reaches decide", async () => {
    const host = node();
    let answer = (_price: number): void => {};
    quoting.quote = () => new Promise(resolve => (answer = resolve));
    const quoted = host.execute("a", "quote", { amount: 2 });
    const earned = host.execute("a", "earn", { amount: 1 });
    await until(() => quoting.times === 1);
    expect(await eventsOf("a")).toEqual([]);
    answer(3);
    expect(await quoted).toEqual({ id: "a", version: 1 });
    expect(await earned).toEqual({ id: "a", version: 2 });
    expect(await eventsOf("a")).toEqual(["purse.earned 6", "purse.earned 1"]);
  });

  test("P3 a repetition is answered from the record before anything is asked of others", async () => {
    const first = await node().execute("a", "quote", { amount: 2 }, { commandId: "client:u:1" });
    quoting.quote = async () => {
      throw new Error("the catalog has changed");
    };
    expect(await node().execute("a", "quote", { amount: 2 }, { commandId: "client:u:1" })).toEqual(first);
    expect(quoting.times).toBe(1);
  });

  test("a conflict while it prepares voids what was prepared", async () => {
    const gate = gated();
    const [here, there] = [node({}, Purse, gate.store), node()];
    await here.get("a");
    await there.execute("a", "earn", { amount: 1 });
    let answer = (_price: number): void => {};
    quoting.quote = () => new Promise(resolve => (answer = resolve));
    gate.close();
    const lost = here.execute("a", "earn", { amount: 2 });
    const quoted = here.execute("a", "quote", { amount: 1 });
    await until(() => quoting.times === 1 && gate.held === 1);
    gate.open();
    answer(3);
    await until(() => quoting.times === 2);
    answer(4);
    expect(await lost).toEqual({ id: "a", version: 2 });
    expect(await quoted).toEqual({ id: "a", version: 3 });
    expect(await eventsOf("a")).toEqual(["purse.earned 1", "purse.earned 2", "purse.earned 4"]);
  });

  test.each([
    ["took too long", new Unavailable("REQUEST_TIMEOUT", { outcome: "unknown" })],
    ["has not started yet", new Errors.ServiceNotFoundError({ action: "quotes.get" })],
    ["is not available", new Errors.ServiceNotAvailableError({ action: "quotes.get" })],
  ])(
    "when the service that it asks %s, a command that could not prepare was not decided: outcome none",
    async (_, error) => {
      quoting.quote = async () => {
        throw error;
      };
      await expect(node().execute("a", "quote", { amount: 1 })).rejects.toMatchObject({
        type: "PREPARE_FAILED",
        data: { outcome: "none" },
      });
    },
  );

  test("a command whose deadline passes while it prepares is not decided", async () => {
    let time = 0;
    const host = node({ clock: { now: () => Date.now(), monotonic: () => time } });
    quoting.quote = async () => (time = 200);
    const late = host.execute("a", "quote", { amount: 1 }, { deadline: 100 });
    await expect(late).rejects.toMatchObject({ type: "DEADLINE_PASSED", data: { outcome: "none" } });
    expect(await eventsOf("a")).toEqual([]);
  });

  test("a call that comes back to an actor that waits for it names the cycle, a read as well as a command", async () => {
    const host = node();
    const chain = "order.1>purse.a>stock.7";
    const back = [
      host.execute("a", "earn", { amount: 1 }, { chain }),
      host.get("a", { chain }),
      host.abandon("a", "client:u:1", chain),
    ];
    const named = { type: "CALL_CYCLE", data: { cycle: ["order.1", "purse.a", "stock.7", "purse.a"] } };
    await Promise.all(back.map(call => expect(call).rejects.toMatchObject(named)));
    expect((await host.get("b", { chain })).version).toBe(0);
  });
});

describe("reads", () => {
  test("from memory within the second after the last proof, then the head is checked", async () => {
    let time = 0;
    const clock = { now: () => Date.now(), monotonic: () => time };
    const [here, there] = [node({ clock }), node()];
    await here.execute("a", "earn", { amount: 1 });
    await there.execute("a", "earn", { amount: 1 });
    expect((await here.get("a")).state.balance).toBe(1);
    expect((await here.get("a", { consistent: true })).state.balance).toBe(2);
    await there.execute("a", "earn", { amount: 1 });
    time += 999;
    expect((await here.get("a")).state.balance).toBe(2);
    time += 2;
    expect(await here.get("a")).toEqual({ id: "a", version: 3, state: { balance: 3, notes: 0 } });
  });

  test("a commit is a proof as well as a check: reads after it ask nobody", async () => {
    let time = 0;
    const gate = gated();
    const host = node({ clock: { now: () => Date.now(), monotonic: () => time } }, Purse, gate.store);
    await host.get("a");
    let appends = 0;
    gate.store.append = (...args) => (appends++, store.append(...args));
    await host.get("a");
    expect(appends).toBe(0);
    time = 900;
    await host.execute("a", "earn", { amount: 1 });
    time = 1_800;
    expect((await host.get("a")).version).toBe(1);
    expect(appends).toBe(1);
  });

  test("a proof is as old as its question: an owner that was paused before the answer asks again", async () => {
    let time = 0;
    const gate = gated();
    const clock = { now: () => Date.now(), monotonic: () => time };
    const [here, there] = [node({ clock }, Purse, gate.store), node()];
    await here.get("a");
    gate.close();
    const earned = here.execute("a", "earn", { amount: 1 });
    await until(() => gate.held === 1);
    await there.execute("a", "earn", { amount: 1 });
    time = 1_001;
    gate.open();
    await earned;
    expect((await here.get("a")).state.balance).toBe(2);
  });

  test("a stream that was long in loading is no fresh one", async () => {
    let time = 0;
    const slow = gated().store;
    slow.load = async (...args) => {
      const loaded = await store.load(...args);
      await node().execute("a", "earn", { amount: 1 });
      time = 1_001;
      return loaded;
    };
    const host = node({ clock: { now: () => Date.now(), monotonic: () => time } }, Purse, slow);
    expect(await typeOf(host.execute("a", "earn", { amount: 1 }, { deadline: 0 }))).toBe("DEADLINE_PASSED");
    slow.load = (...args) => store.load(...args);
    expect((await host.get("a")).state.balance).toBe(1);
  });

  test("a read never shows what is not committed", async () => {
    const gate = gated();
    const host = node({}, Purse, gate.store);
    await host.get("a");
    gate.close();
    const earned = host.execute("a", "earn", { amount: 1 });
    await until(() => gate.held === 1);
    expect((await host.get("a")).version).toBe(0);
    gate.open();
    await earned;
    expect((await host.get("a")).version).toBe(1);
  });

  test("history, state at a version, and a version that is not there", async () => {
    const host = node();
    await host.execute("a", "both", { amount: 4 }, { commandId: "client:u:1", metadata: { user: "u" } });
    await host.execute("a", "spend", { amount: 1 });
    expect(await host.history("a", 2, 10)).toMatchObject([
      { type: "purse.noted", version: 2, metadata: { user: "u", commandId: "client:u:1" } },
      { type: "purse.spent", version: 3, data: { amount: 1 } },
    ]);
    expect(await host.stateAt("a", 2)).toEqual({ id: "a", version: 2, state: { balance: 4, notes: 1 } });
    expect(await typeOf(host.stateAt("a", 4))).toBe("VERSION_NOT_FOUND");
  });

  test("what if: a decision made again makes the same ids, so they are no difference", async () => {
    const Lottery = defineActor(contract)({
      ...Purse,
      decide: {
        ...Purse.decide,
        earn: (_state, _command, { newId }) => [contract.event("purse.earned", { amount: parseInt(newId(), 16) })],
      },
    });
    const host = node({}, Lottery);
    for (let i = 0; i < 3; i++) await host.execute("a", "earn", { amount: 1 });
    expect(new Set(await eventsOf("a")).size).toBe(3);
    expect((await host.whatIf("a")).differences).toEqual([]);
  });

  test("what if: today's code is compared with the record, command by command", async () => {
    const host = node();
    await host.execute("a", "both", { amount: 4 });
    await host.execute("a", "spend", { amount: 3 });
    expect(await host.whatIf("a")).toEqual({ id: "a", version: 3, differences: [] });
    const Stricter = defineActor(contract)({
      ...Purse,
      decide: {
        ...Purse.decide,
        spend: (_state, _command, { refuse }) => {
          throw refuse("NOT_ENOUGH");
        },
      },
    });
    const found = await node({}, Stricter).whatIf("a");
    expect(found.differences).toEqual([
      {
        version: 3,
        expected: [{ type: "purse.spent", data: { amount: 3 } }],
        actual: { refused: "NOT_ENOUGH", command: "spend" },
      },
    ]);
  });
});

describe("loading", () => {
  const fill = async (id: string, n: number): Promise<void> => {
    const host = node({ limits: { snapshotIntervalMs: 0 } });
    for (let i = 0; i < n; i++) await host.execute(id, "earn", { amount: 1 });
    await until(async () => (await store.load(`purse.${id}`, 1)).snapshot?.version === n - (n % 10));
  };

  test("from snapshot and tail; a snapshot of another schema number is ignored", async () => {
    await fill("a", 25);
    expect((await node().get("a")).state.balance).toBe(25);
    const Doubled = defineActor(contract)({
      ...Purse,
      snapshotSchema: 2,
      evolve: {
        ...Purse.evolve,
        "purse.earned": (state, { amount }) => ({ ...state, balance: state.balance + 2 * amount }),
      },
    });
    expect((await node({}, Doubled).get("a")).state.balance).toBe(50);
  });

  test("a snapshot is of a durable version, though later commands are decided already", async () => {
    const gate = gated();
    const host = node({}, Purse, gate.store);
    for (let i = 0; i < 9; i++) await host.execute("a", "earn", { amount: 1 });
    gate.close();
    const more = [1, 2].map(() => host.execute("a", "earn", { amount: 1 }));
    await until(() => gate.held === 2);
    gate.open();
    await Promise.all(more);
    await until(async () => (await store.load("purse.a", 1)).snapshot !== undefined);
    const { snapshot } = await store.load("purse.a", 1);
    expect(snapshot).toMatchObject({ version: 10, state: '{"balance":10,"notes":0}' });
  });

  test("a snapshot carries the schema number of the folds that made it, and is taken at most once in its interval", async () => {
    const gate = gated();
    const saved: number[] = [];
    gate.store.saveSnapshot = async (stream, snapshot) => {
      saved.push(snapshot.version);
      await store.saveSnapshot(stream, snapshot);
      throw new Error("nobody waits for a snapshot, so nobody is told");
    };
    let time = 0;
    const clock = { now: () => Date.now(), monotonic: () => time };
    const host = node({ clock }, defineActor(contract)({ ...Purse, snapshotSchema: 2 }), gate.store);
    for (let i = 0; i < 25; i++) await host.execute("a", "earn", { amount: 1 });
    time = 1_000;
    await host.execute("a", "earn", { amount: 1 });
    expect(saved).toEqual([10, 26]);
    await until(async () => (await store.load("purse.a", 2)).snapshot?.version === 26);
    expect((await store.load("purse.a", 1)).snapshot).toBeUndefined();
  });

  test("a fold that changes the state it was given is found in tests: states are frozen", async () => {
    const Changing = defineActor(contract)({
      ...Purse,
      evolve: {
        ...Purse.evolve,
        "purse.earned": state => Object.assign(state as { notes: number; balance: number }, { balance: 9 }),
      },
    });
    expect(await typeOf(node({}, Changing).execute("a", "earn", { amount: 1 }))).toBe("DECISION_FAILED");
  });

  test("old events are lifted when they are read, version by version; new ones carry today's version", async () => {
    await node().execute("a", "earn", { amount: 5 });
    const Cents: Actor = {
      ...(Purse as Actor),
      contract: { ...contract, versions: { "purse.earned": 3 } },
      upcasters: {
        "purse.earned": {
          1: ({ amount }: { amount: number }) => ({ cents: amount * 100 }),
          2: ({ cents }: { cents: number }) => ({ amount: cents }),
        },
      },
    };
    const host = node({}, Cents);
    expect((await host.get("a")).state.balance).toBe(500);
    await host.execute("a", "earn", { amount: 7 });
    expect((await host.stateAt("a", 2)).state).toMatchObject({ balance: 507 });
    expect(await host.history("a", 1, 10)).toMatchObject([{ data: { amount: 500 } }, { data: { amount: 7 } }]);
    expect((await store.readStream("purse.a", 1, 10)).map(({ schemaVersion }) => schemaVersion)).toEqual([1, 3]);
  });

  test("a node that leaves takes a snapshot of its hot actors, so that the next owner need not fold what they have done", async () => {
    const host = node({ limits: { snapshotIntervalMs: 60_000 } });
    for (let n = 0; n < 35; n++) await host.execute("hot", "earn", { amount: 1 });
    await host.execute("cold", "earn", { amount: 1 });
    await host.drain();
    expect((await store.load("purse.hot", 1)).snapshot?.version).toBe(35);
    expect((await store.load("purse.cold", 1)).snapshot).toBeUndefined();
  });

  test("a corrupt snapshot is a cache miss", async () => {
    await fill("a", 12);
    await sql("update snapshots set state = '{broken'");
    expect(await node().get("a")).toEqual({ id: "a", version: 12, state: { balance: 12, notes: 0 } });
  });

  test("an unknown event, a fold that throws and a hole put their stream aside, others go on", async () => {
    await fill("unknown", 10);
    await fill("hole", 10);
    await fill("fine", 10);
    await sql("delete from snapshots");
    await sql(
      "update events set type = 'purse.gone' where version = 2 and stream = (select id from streams where name = 'purse.unknown')",
    );
    await sql("delete from events where version = 5 and stream = (select id from streams where name = 'purse.hole')");
    const host = node();
    await expect(host.get("unknown")).rejects.toMatchObject({ type: "STREAM_QUARANTINED", data: { outcome: "none" } });
    expect(await typeOf(host.execute("hole", "earn", { amount: 1 }))).toBe("STREAM_QUARANTINED");
    expect((await host.get("fine")).state.balance).toBe(10);
    const aside = (await store.quarantined(10)).map(({ stream, reason }) => `${stream}: ${reason}`).toSorted();
    expect(aside).toEqual([
      expect.stringMatching(/purse.hole: .*follows/),
      expect.stringMatching(/purse.unknown: .*purse.gone/),
    ]);
    await sql("update events set type = 'purse.earned' where type = 'purse.gone'");
    await store.release("purse.unknown");
    expect((await host.get("unknown")).state.balance).toBe(10);
  });

  test("a fold that throws on what is stored puts its stream aside, and the reason says what it threw", async () => {
    await node().execute("a", "earn", { amount: 1 });
    const Failing = defineActor(contract)({
      ...Purse,
      evolve: {
        ...Purse.evolve,
        "purse.earned": () => {
          throw new TypeError("no such coin");
        },
      },
    });
    expect(await typeOf(node({}, Failing).get("a"))).toBe("STREAM_QUARANTINED");
    expect(await store.quarantined(10)).toMatchObject([{ stream: "purse.a", reason: "purse.a@1: no such coin" }]);
  });

  test("a stream that was put aside stays so, also for an activation that lives on", async () => {
    const host = node();
    await host.execute("a", "earn", { amount: 1 });
    await store.quarantine("purse.a", "looks odd");
    const refused = { type: "STREAM_QUARANTINED", message: expect.stringContaining("looks odd") };
    await expect(node().get("a")).rejects.toMatchObject(refused);
    await expect(host.execute("a", "earn", { amount: 1 })).rejects.toMatchObject(refused);
    expect(await eventsOf("a")).toHaveLength(1);
  });

  test("several first calls load once, and the number of loads at once is bounded", async () => {
    await fill("a", 10);
    let loading = 0;
    let most = 0;
    const counting = gated().store;
    counting.load = async (...args) => {
      most = Math.max(most, ++loading);
      await sleep(5);
      return store.load(...args).finally(() => loading--);
    };
    const host = node({ limits: { concurrentLoads: 3 } }, Purse, counting);
    await Promise.all(Array.from({ length: 40 }, (_, i) => host.get(`p${i % 20}`)));
    expect(host.counts.activations).toBe(20);
    expect(most).toBe(3);
  });
});

describe("leaving memory", () => {
  test("by count, least recently used first, and by idle time; nothing acknowledged is lost", async () => {
    let time = 0;
    const clock = { now: () => Date.now(), monotonic: () => time };
    const host = node({ clock, limits: { residentActors: 2, idleMs: 30 } });
    for (const id of ["a", "b", "c"]) {
      time += 1_001;
      await host.execute(id, "earn", { amount: 1 });
    }
    expect(host.resident).toBe(2);
    time += 1_001;
    await until(() => host.resident === 0);
    expect((await host.get("a")).state.balance).toBe(1);
  });

  test("who was used last stays, and who is at work", async () => {
    let time = 0;
    const gate = gated();
    const clock = { now: () => Date.now(), monotonic: () => time };
    const host = node({ clock, limits: { residentActors: 2 } }, Purse, gate.store);
    for (const id of ["a", "b", "a", "c", "a"]) {
      time += 1_001;
      await host.execute(id, "earn", { amount: 1 });
    }
    // b has left for c, a is still the one from the start.
    expect(host.counts).toMatchObject({ activations: 3, passivations: 1 });
    gate.close();
    const busy = ["a", "c"].map(id => host.execute(id, "earn", { amount: 1 }));
    const another = host.execute("d", "earn", { amount: 1 });
    await until(() => gate.held === 3);
    expect(host.resident).toBe(3);
    gate.open();
    await Promise.all([...busy, another]);
  });

  test("a draining node finishes what it has and refuses what comes", async () => {
    const gate = gated();
    const host = node({}, Purse, gate.store);
    await host.get("a");
    gate.close();
    const earned = host.execute("a", "earn", { amount: 1 });
    let isDrained = false;
    const drained = host.drain().then(() => (isDrained = true));
    await expect(host.execute("b", "earn", { amount: 1 })).rejects.toMatchObject({
      type: "MOVED",
      data: { outcome: "none" },
    });
    await until(() => gate.held === 1);
    await sleep(20);
    expect(isDrained).toBe(false);
    gate.open();
    await drained;
    expect(await earned).toEqual({ id: "a", version: 1 });
  });
});

describe("a command that begins an actor", () => {
  const Begun = { ...(Purse as Actor), begins: ["earn", "spend", "crash", "quote"] };
  let loads: string[];
  /** A node that tells which streams it loads. */
  const watched = (actor: Actor = Begun): ActorHost => {
    loads = [];
    const watching = Object.create(store) as EventStore;
    watching.append = (append, settle) => store.append(append, settle);
    watching.readStream = (...args) => store.readStream(...args);
    watching.findCommand = (...args) => store.findCommand(...args);
    watching.load = (stream, schema) => {
      loads.push(stream);
      return store.load(stream, schema);
    };
    return node({}, actor, watching);
  };

  test("is decided without a load, and so is what follows", async () => {
    const host = watched();
    const answers = [host.execute("a", "earn", { amount: 5 }), host.execute("a", "spend", { amount: 4 })];
    expect(await Promise.all(answers)).toEqual([
      { id: "a", version: 1 },
      { id: "a", version: 2, balance: 1 },
    ]);
    expect(loads).toEqual([]);
    expect(await host.get("a")).toEqual({ id: "a", version: 2, state: { balance: 1, notes: 0 } });
    await host.execute("b", "both", { amount: 1 });
    expect(loads).toEqual(["purse.b"]);
  });

  test("P2 finds the stream that is there, and so do the commands and reads behind it", async () => {
    await node().execute("a", "earn", { amount: 5 });
    const host = watched();
    const answers = [
      host.execute("a", "spend", { amount: 3 }),
      host.get("a"),
      host.execute("a", "earn", { amount: 1 }),
    ];
    expect(await Promise.all(answers)).toEqual([
      { id: "a", version: 2, balance: 2 },
      { id: "a", version: 2, state: { balance: 2, notes: 0 } },
      { id: "a", version: 3 },
    ]);
    expect(loads).toEqual(["purse.a"]);
    expect(host.counts.conflicts).toBe(0);
  });

  test("P3 gets its first answer when it is repeated, and nothing that comes after it rests on a stream that is not", async () => {
    const other = node();
    await other.execute("a", "earn", { amount: 5 });
    await other.execute("a", "spend", { amount: 5 }, { commandId: "client:u:1" });
    const refused = typeOf(other.execute("a", "spend", { amount: 5 }, { commandId: "client:u:2" }));
    expect(await refused).toBe("NOT_ENOUGH");
    await other.execute("a", "earn", { amount: 9 });
    const host = watched();
    expect(await host.execute("a", "spend", { amount: 5 }, { commandId: "client:u:1" })).toMatchObject({ balance: 0 });
    expect(await host.execute("a", "spend", { amount: 5 })).toMatchObject({ balance: 4 });
    const again = watched();
    expect(await typeOf(again.execute("a", "spend", { amount: 5 }, { commandId: "client:u:2" }))).toBe("NOT_ENOUGH");
    expect(await again.execute("a", "spend", { amount: 4 })).toMatchObject({ balance: 0 });
  });

  test("a refusal and a bug that see nothing do not leave before the store was asked", async () => {
    await node().execute("a", "earn", { amount: 5 });
    const picky: Actor = {
      ...Begun,
      decide: {
        ...Begun.decide,
        crash: ({ balance }: Record<string, unknown>) => {
          if (balance === 0) throw new TypeError("nothing there");
          return [];
        },
      },
    };
    expect(await watched(picky).execute("a", "spend", { amount: 5 })).toMatchObject({ version: 2 });
    await node().execute("a", "earn", { amount: 5 });
    expect(await watched(picky).execute("a", "crash", {})).toEqual({ id: "a", version: 3 });
    expect(bugs).toEqual([]);
    expect(await typeOf(watched(picky).execute("new", "crash", {}))).toBe("DECISION_FAILED");
  });

  test("P3 gets its first answer, whatever those say who are asked while it prepares", async () => {
    const id = { commandId: "client:u:1" };
    await node().execute("a", "quote", { amount: 3 }, id);
    const repeated = async (quote: () => Promise<number>) => {
      quoting.quote = quote;
      return watched().execute("a", "quote", { amount: 3 }, id);
    };
    const first = { id: "a", version: 1 };
    expect(await repeated(async () => 7)).toEqual(first);
    expect(await repeated(async () => 0)).toEqual(first);
    const down = async (): Promise<number> => {
      throw new Unavailable("DOWN");
    };
    expect(await repeated(down)).toEqual(first);
    expect(await typeOf(watched().execute("new", "quote", { amount: 3 }, id))).toBe("PREPARE_FAILED");
    expect(await eventsOf("a")).toEqual(["purse.earned 3"]);
    expect(await eventsOf("new")).toEqual([]);
  });

  test("is refused by a stream that is put aside", async () => {
    await node().execute("a", "earn", { amount: 5 });
    await store.quarantine("purse.a", "broken");
    expect(await typeOf(watched().execute("a", "earn", { amount: 5 }))).toBe("STREAM_QUARANTINED");
  });
});
