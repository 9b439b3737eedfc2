import { setTimeout as sleep } from "node:timers/promises";
import { openEventStore } from "../event-store/siblings.ts";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { Errors } from "moleculer";
import { PlaceChecks, type Append, type EventStore, type Verdict } from "../event-store/index.ts";
import { until } from "../testing/index.ts";
import { newDatabases, query, type Databases } from "../testing/servers.ts";
import { autoCommandId, readEnvironment, Refusal, Unavailable } from "../kernel/index.ts";
import { locationOf, type DatabaseLocation } from "../database/index.ts";
import { contract, Purse, quoting } from "./account.fixture.ts";
import { archiveFinished } from "./archive.ts";
import { defineActor, type Actor } from "./index.ts";
import { ActorHost, type HostOptions } from "./host.ts";
import { readLog } from "./log.ts";

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

const location = (): DatabaseLocation => locationOf(readEnvironment(databases.env), "purses");
/** Statements of another program in the store's database. */
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

const typeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "ok",
    (error: Error & { type?: string }) => error.type ?? error.message,
  );
const fail = (type: string): Promise<never> => Promise.reject(new Unavailable(type));
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

  test("P1 a verdict is its append's, also out of turn: nothing leaves before what it stands on, and the store is accused", async () => {
    const swapping = gated().store;
    const host = node({}, Purse, swapping);
    await host.execute("a", "earn", { amount: 1 });
    const held: (() => void)[] = [];
    swapping.append = (append, settle) =>
      held.length === 0 ? void held.push(() => store.append(append, settle)) : settle({ kind: "conflict" });
    const answered: string[] = [];
    const first = host.execute("a", "earn", { amount: 5 }).then(() => answered.push("first"));
    const second = host.execute("a", "earn", { amount: 7 }).then(() => answered.push("second"));
    await until(() => bugs.length === 1);
    expect(answered).toEqual([]);
    swapping.append = (...args) => store.append(...args);
    held[0]!();
    await Promise.all([first, second]);
    expect(answered).toEqual(["first", "second"]);
    expect(await eventsOf("a")).toEqual(["purse.earned 1", "purse.earned 5", "purse.earned 7"]);
    expect(bugs).toEqual([[expect.stringContaining("ahead of those before it"), expect.anything()]]);
  });

  test("P1 a second verdict for one append is told, and taken for no other's", async () => {
    const gate = gated();
    const host = node({}, Purse, gate.store);
    await host.execute("a", "earn", { amount: 1 });
    let again = (): void => {};
    gate.store.append = (append, settle) => {
      gate.store.append = (...args) => store.append(...args);
      store.append(append, verdict => {
        again = () => settle(verdict);
        settle(verdict);
      });
    };
    await host.execute("a", "earn", { amount: 2 });
    gate.store.append = () => {};
    let isAnswered = false;
    void host.execute("a", "earn", { amount: 3 }).then(() => (isAnswered = true));
    again();
    await sleep(20);
    expect(isAnswered).toBe(false);
    expect(bugs).toEqual([[expect.stringContaining("a second verdict"), expect.anything()]]);
    hosts.splice(hosts.indexOf(host), 1); // its last command has no end
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

  test.each([
    ["its deadline passes", { deadline: () => performance.now() + 30 }, "DEADLINE_PASSED"],
    ["it is decided too often in vain", { deadline: () => Infinity }, "CONTENTION"],
    ["the stream cannot be loaded", { deadline: () => Infinity, load: () => fail("DOWN") }, "DOWN"],
  ])(
    "P3 an append that may be stored leaves the outcome unknown, though nothing is known to have happened when %s",
    async (_what, { deadline, load }: { deadline: () => number; load?: () => Promise<never> }, type) => {
      const moving = gated().store;
      const host = node({}, Purse, moving);
      await host.execute("a", "earn", { amount: 1 });
      moving.append = (append, settle) => {
        moving.append = (_append, settle) => queueMicrotask(() => settle({ kind: "conflict" }));
        if (load) moving.load = load;
        store.append(append, () => setTimeout(() => settle({ kind: "fenced" }), 60));
      };
      await expect(host.execute("a", "earn", { amount: 5 }, { deadline: deadline() })).rejects.toMatchObject({
        type,
        code: 504,
        data: { outcome: "unknown" },
      });
      expect(await eventsOf("a")).toEqual(["purse.earned 1", "purse.earned 5"]);
    },
  );
  test("an append that was fenced without being sent has no effect: outcome none", async () => {
    const moving = gated().store;
    const host = node({}, Purse, moving);
    await host.get("a");
    moving.append = (_append, settle) => setTimeout(() => settle({ kind: "fenced", unsent: true }), 60);
    const late = host.execute("a", "earn", { amount: 5 }, { deadline: performance.now() + 30 });
    await expect(late).rejects.toMatchObject({ type: "DEADLINE_PASSED", code: 503, data: { outcome: "none" } });
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

  test("commands that lost are decided again before later ones", async () => {
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

  test("decisions that stood on a failed commit are void: the next command is decided on the stored state", async () => {
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

  test("bad decisions of the definition are a bug of one command: the state is loaded anew, the actor lives on", async () => {
    const gate = gated();
    const host = node({}, Purse, gate.store);
    await host.execute("a", "earn", { amount: 1 });
    let loads = 0;
    gate.store.load = (...args) => (loads++, store.load(...args));
    expect(await typeOf(host.execute("a", "crash", {}))).toBe("DECISION_FAILED");
    expect(bugs).toHaveLength(1);
    expect(loads).toBe(1);
    expect(await host.execute("a", "spend", { amount: 1 })).toEqual({ id: "a", version: 2, balance: 0 });
  });

  test("P1 a bug does not leave before the commits that its state stands on", async () => {
    const gate = gated();
    const host = node({}, Purse, gate.store);
    await host.get("a");
    gate.close();
    const answered: string[] = [];
    const earned = host.execute("a", "earn", { amount: 1 }).then(() => answered.push("earned"));
    const crashed = typeOf(host.execute("a", "crash", {})).then(type => answered.push(type));
    await until(() => gate.held === 1);
    await sleep(20);
    expect(answered).toEqual([]);
    gate.open();
    await Promise.all([earned, crashed]);
    expect(answered).toEqual(["earned", "DECISION_FAILED"]);
  });

  /** A purse that cannot say what is in it unless there is something. */
  const Strict = defineActor(contract)({
    ...Purse,
    decide: {
      ...Purse.decide,
      spend: (state, params, decision, prepared) => {
        if (state.balance === 0) throw new TypeError("nothing there");
        return Purse.decide.spend(state, params, decision, prepared);
      },
    },
  });

  test("a bug of a stale owner does not leave: it is decided again on what the store has", async () => {
    const [here, there] = [node({}, Strict), node({}, Strict)];
    await here.get("a");
    await there.execute("a", "earn", { amount: 5 });
    expect(await here.execute("a", "spend", { amount: 5 })).toEqual({ id: "a", version: 2, balance: 0 });
    expect(bugs).toEqual([]);
  });

  test("P3 a repetition whose decision is a bug today gets its first answer", async () => {
    const key = { commandId: "client:u:1" };
    await node().execute("a", "earn", { amount: 5 });
    const first = await node({}, Strict).execute("a", "spend", { amount: 5 }, key);
    const host = node({}, Strict);
    expect(await host.execute("a", "spend", { amount: 5 }, key)).toEqual(first);
    expect(await typeOf(host.execute("a", "spend", { amount: 6 }, key))).toBe("COMMAND_ID_REUSED");
    expect(await typeOf(host.execute("a", "spend", { amount: 5 }, { commandId: "client:u:2" }))).toBe(
      "DECISION_FAILED",
    );
    expect(await eventsOf("a")).toEqual(["purse.earned 5", "purse.spent 5"]);
  });

  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  const throwing = (): never => {
    throw new TypeError("no such thing");
  };
  /** Mistakes that a definition may make in `clear`. */
  const wrong: Record<string, { actor?: object; decide?: () => unknown; options?: Partial<HostOptions> }> = {
    "a reply that throws": { actor: { reply: { clear: throwing } } },
    "a reply that refuses": {
      actor: {
        reply: {
          clear: () => {
            throw new Refusal("NOT_ENOUGH");
          },
        },
      },
    },
    "a reply that JSON cannot hold": { actor: { reply: { clear: () => ({ left: 5n }) } } },
    "a fold that throws": {
      actor: { evolve: { ...Purse.evolve, "purse.noted": throwing } },
      decide: () => [{ type: "purse.noted", data: {} }],
    },
    "an event with a BigInt": { decide: () => [{ type: "purse.noted", data: { by: 5n } }] },
    "an event with a cycle": { decide: () => [{ type: "purse.noted", data: cycle }] },
    "an event without data": { decide: () => [{ type: "purse.noted", data: undefined }] },
    "an event whose data is a function": { decide: () => [{ type: "purse.noted", data: () => ({}) }] },
    "an event with no number": { decide: () => [{ type: "purse.noted", data: { by: NaN } }] },
    "an event that nobody folds": { decide: () => [{ type: "purse.melted", data: {} }] },
    "a decision that comes later": { decide: () => Promise.reject(new Error("nobody listens")) },
    "a decision that is nothing": { decide: () => undefined },
    "a refusal that JSON cannot hold": {
      decide: () => {
        throw new Refusal("NOT_ENOUGH", { errors: [{ field: 5n, message: "x" } as never] });
      },
    },
    "a throw of nothing": {
      decide: () => {
        throw undefined;
      },
    },
    "a timer without params": {
      decide: () => ({ events: [], timers: [{ set: "t", afterMs: 1, command: "earn", params: undefined }] }),
    },
    "an event that is a text": { decide: () => [{ type: "purse.noted", data: "noted" }] },
    "an event that is a date": { decide: () => [{ type: "purse.noted", data: new Date() }] },
    "events that come later": { decide: () => [1, 2].map(() => Promise.reject(new Error("nobody listens"))) },
    "an event whose data comes later": {
      decide: () => [{ type: "purse.noted", data: Promise.reject(new Error("nobody listens")) }],
    },
    "an event that every object has": { decide: () => [{ type: "constructor", data: {} }] },
    "a fold that gives nothing": {
      actor: { evolve: { ...Purse.evolve, "purse.noted": () => undefined } },
      decide: () => [{ type: "purse.noted", data: {} }],
    },
    "a fold whose state comes later": {
      actor: { evolve: { ...Purse.evolve, "purse.noted": () => Promise.reject(new Error("nobody listens")) } },
      decide: () => [{ type: "purse.noted", data: {} }],
    },
    "a reply that comes later": { actor: { reply: { clear: () => Promise.reject(new Error("nobody listens")) } } },
    "an error that cannot be read": {
      decide: () => {
        throw Object.defineProperty(new Error("unread"), "message", { get: throwing });
      },
    },
    "a timer after a text": {
      decide: () => ({ events: [], timers: [{ set: "t", afterMs: "10", command: "earn", params: { amount: 1 } }] }),
    },
    "a timer after nothing": {
      decide: () => ({ events: [], timers: [{ set: "t", afterMs: null, command: "earn", params: { amount: 1 } }] }),
    },
    "a timer for no command": {
      decide: () => ({ events: [], timers: [{ set: "t", afterMs: 1, command: undefined, params: {} }] }),
    },
    "the row of a saga that throws": {
      decide: () => [{ type: "purse.noted", data: {} }],
      options: { sagaRow: throwing },
    },
  };
  test.each(Object.entries(wrong))(
    "%s is a bug of that command alone: id and place are free again, the state is as it was, neighbours are committed",
    async (_what, { actor, decide, options }) => {
      const Wrong = { ...Purse, ...actor, decide: { ...Purse.decide, ...(decide && { clear: decide }) } } as never;
      const host = node({ limits: { mailboxSlots: 3 }, ...options }, Wrong);
      const clear = (id: string, commandId: string) => typeOf(host.execute(id, "clear", {}, { commandId }));
      // Commands of an actor that has to be loaded, of one in memory, behind another command, and with a twin.
      await node().execute("cold", "earn", { amount: 1 });
      const [neighbour, cold] = [host.execute("b", "earn", { amount: 1 }), clear("cold", "client:u:1")];
      const sagaIsAsked = options?.sagaRow !== undefined;
      expect(await typeOf(neighbour)).toBe(sagaIsAsked ? "DECISION_FAILED" : "ok");
      expect(await cold).toBe("DECISION_FAILED");
      const waiting = [
        host.get("cold", { consistent: true }),
        clear("cold", "client:u:2"),
        clear("cold", "client:u:2"),
      ];
      expect((await Promise.all(waiting)).slice(1)).toEqual(["DECISION_FAILED", "DECISION_FAILED"]);
      for (let i = 0; i < 5; i++) expect(await clear("cold", "client:u:2")).toBe("DECISION_FAILED");
      expect(await host.get("cold")).toEqual({ id: "cold", version: 1, state: { balance: 1, notes: 0 } });
      expect(await recordedIds()).toHaveLength(sagaIsAsked ? 1 : 2);
      await host.drain();
    },
  );

  test("P3 a reply cannot say whose answer it is: the first one is what a repetition gets", async () => {
    const reply = { earn: () => ({ id: "b", version: 9 }) };
    const host = node({ limits: { recentCommands: 0 } }, { ...Purse, reply } as never);
    const earn = () => host.execute("a", "earn", { amount: 1 }, { commandId: "client:u:1" });
    const first = await earn();
    expect(first).toEqual({ id: "a", version: 1 });
    expect(await earn()).toEqual(first);
  });

  test("a state that JSON cannot hold is told when its snapshot is due, and ends nothing", async () => {
    const Odd = { ...Purse, evolve: { ...Purse.evolve, "purse.earned": () => ({ balance: 5n, notes: 0 }) } } as never;
    const host = node({ limits: { snapshotIntervalMs: 0 } }, Odd);
    for (let i = 0; i < 10; i++) await host.execute("a", "earn", { amount: 1 });
    await until(() => bugs.length > 0);
    expect(bugs).toEqual([[expect.stringMatching(/purse\.a@10.*BigInt/), expect.anything()]]);
    for (let i = 0; i < 9; i++) await host.execute("a", "earn", { amount: 1 });
    await host.execute("a", "earn", { amount: 1 });
    await host.drain();
    expect(await eventsOf("a")).toHaveLength(20);
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

  test("the ids that an actor remembers are bounded: an older repetition is answered by the store", async () => {
    const host = node({ limits: { recentCommands: 2 } });
    const earn = (n: number) => host.execute("a", "earn", { amount: 1 }, { commandId: `client:u:${n}` });
    for (let n = 1; n <= 5; n++) await earn(n);
    await earn(5);
    await earn(4);
    expect(host.counts.commands).toBe(5);
    expect(await earn(1)).toEqual({ id: "a", version: 1 });
    expect(host.counts.commands).toBe(6);
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

  test("a command that was never decided is not recorded: a passed deadline, a full mailbox, a bug", async () => {
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
      throw new Error("the price list has changed");
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

  test("a value that was prepared on a void state is never used, and nothing is loaded under a command that prepares", async () => {
    const gate = gated();
    const [here, there] = [node({}, Purse, gate.store), node()];
    await here.get("a");
    await there.execute("a", "earn", { amount: 1 });
    let loads = 0;
    gate.store.load = (...args) => (loads++, store.load(...args));
    let answer = (_price: number): void => {};
    quoting.quote = () => new Promise(resolve => (answer = resolve));
    const lost = here.execute("a", "earn", { amount: 2 });
    const quoted = here.execute("a", "quote", { amount: 1 });
    await until(() => quoting.times === 1 && here.counts.conflicts === 1);
    await sleep(50); // time enough for a load that should not be
    expect(loads).toBe(0);
    answer(3);
    await until(() => quoting.times === 2);
    answer(4);
    await Promise.all([lost, quoted]);
    expect(await eventsOf("a")).toEqual(["purse.earned 1", "purse.earned 2", "purse.earned 4"]);
  });

  test.each([
    ["its deadline", {}, { deadline: () => performance.now() + 50 }],
    ["the default time-out, without a deadline", { prepareMs: 50 }, { deadline: () => Infinity }],
  ])("ends at %s, whatever it waits for; what comes later is not used", async (_what, limits, { deadline }) => {
    const host = node({ limits });
    let answer = (_price: number): void => {};
    quoting.quote = () => new Promise(resolve => (answer = resolve));
    const quoted = host.execute("a", "quote", { amount: 1 }, { deadline: deadline(), commandId: "client:u:1" });
    const earned = host.execute("a", "earn", { amount: 2 });
    await expect(quoted).rejects.toMatchObject({ type: "DEADLINE_PASSED", data: { outcome: "none" } });
    expect(await earned).toEqual({ id: "a", version: 1 });
    answer(7);
    quoting.quote = async () => 3;
    expect(await host.execute("a", "quote", { amount: 1 }, { commandId: "client:u:1" })).toMatchObject({ version: 2 });
    expect(await eventsOf("a")).toEqual(["purse.earned 2", "purse.earned 3"]);
  });

  test("a failure of nothing is a bug, and the mailbox goes on", async () => {
    const host = node();
    quoting.quote = () => Promise.reject(undefined);
    expect(await typeOf(host.execute("a", "quote", { amount: 1 }))).toBe("PREPARE_FAILED");
    expect(await host.execute("a", "earn", { amount: 1 })).toEqual({ id: "a", version: 1 });
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
    const chain = "loan.1>purse.a>shelf.7";
    const back = [
      host.execute("a", "earn", { amount: 1 }, { chain }),
      host.get("a", { chain }),
      host.abandon("a", "client:u:1", chain),
    ];
    const named = { type: "CALL_CYCLE", data: { cycle: ["loan.1", "purse.a", "shelf.7", "purse.a"] } };
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

  test("whatIf: a decision made again makes the same ids, so they are no difference", async () => {
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

  test("whatIf: today's code is compared with the record, command by command", async () => {
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
    if (n >= 10) await until(async () => (await store.load(`purse.${id}`, 1)).snapshot?.version === n - (n % 10));
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

  test("a node that leaves takes its snapshots in parts: not all of them are in memory at once", async () => {
    const gate = gated();
    let [saving, most, saved] = [0, 0, 0];
    gate.store.saveSnapshot = async (...args) => {
      most = Math.max(most, ++saving);
      await store.saveSnapshot(...args);
      saving--;
      saved++;
    };
    const host = node({ limits: { snapshotIntervalMs: 60_000, snapshotsAtOnce: 3 } }, Purse, gate.store);
    const ids = Array.from({ length: 10 }, (_, i) => `p${i}`);
    for (let n = 0; n < 21; n++) await Promise.all(ids.map(id => host.execute(id, "earn", { amount: 1 })));
    [most, saved] = [0, 0];
    await host.drain();
    expect([saved, most]).toEqual([10, 3]);
  });

  test("a decision that changes the state it was given is a bug, named, and changes nothing: states are frozen", async () => {
    const Greedy = defineActor(contract)({
      ...Purse,
      decide: {
        ...Purse.decide,
        spend: (state, { amount }, { refuse }) => {
          (state as { balance: number }).balance += amount;
          throw refuse("NOT_ENOUGH");
        },
      },
    });
    const host = node({}, Greedy);
    await host.execute("a", "earn", { amount: 5 });
    expect(await typeOf(host.execute("a", "spend", { amount: 9 }))).toBe("DECISION_FAILED");
    expect(bugs).toEqual([[expect.stringMatching(/purse\.a: spend threw TypeError: .*read only/), expect.anything()]]);
    expect((await host.get("a")).state.balance).toBe(5);
    // A read gives the actor's own state.
    const { state } = await host.get("a");
    expect(() => Object.assign(state, { balance: 9 })).toThrow(TypeError);
  });

  test("a fold that changes the state it was given is a bug: states are frozen", async () => {
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

  const eventOf = (version: number, id: string): string =>
    `where version = ${version} and stream = (select id from streams where name = 'purse.${id}')`;
  const aside = async (): Promise<Record<string, string>> =>
    Object.fromEntries((await store.quarantined(10)).map(({ stream, reason }) => [stream, reason]));

  test("damage puts its stream aside for every node, others go on: a hole, also at the end, and what is no event", async () => {
    for (const id of ["hole", "end", "torn", "nothing", "past", "fine"]) await fill(id, 10);
    await sql("delete from snapshots");
    await sql(`delete from events ${eventOf(5, "hole")}`);
    await sql(`delete from events ${eventOf(9, "end")}`);
    await sql(`delete from events ${eventOf(10, "end")}`);
    await sql(`update events set data = '{"amount":' ${eventOf(2, "torn")}`);
    await sql(`update events set data = 'null' ${eventOf(2, "nothing")}`);
    await sql("update streams set version = 7 where name = 'purse.past'");
    const damaged = {
      hole: "damaged: purse.hole: version 6 follows 4",
      end: "damaged: purse.end: its head is version 10, its events end at 8",
      torn: expect.stringMatching(/^damaged: purse.torn@2: .*JSON/),
      nothing: "damaged: purse.nothing@2: it holds null",
      past: "damaged: purse.past: its head is version 7, its events end at 10",
    };
    const host = node();
    for (const id of Object.keys(damaged))
      for (const ask of [() => host.get(id), () => host.execute(id, "earn", { amount: 1 }), () => node().get(id)])
        await expect(ask()).rejects.toMatchObject({ type: "STREAM_QUARANTINED", data: { outcome: "none" } });
    expect((await host.get("fine")).state.balance).toBe(10);
    expect(await aside()).toEqual(
      Object.fromEntries(Object.entries(damaged).map(([id, reason]) => [`purse.${id}`, reason])),
    );
    // Another release sees it too, and a start does not try it again: until an operator says that it is mended.
    await sql(`update events set data = '{"amount":1}' ${eventOf(2, "torn")}`);
    expect(await typeOf(node({}, Newer).get("torn"))).toBe("STREAM_QUARANTINED");
    await store.release("purse.torn");
    expect((await host.get("torn")).state.balance).toBe(10);
  });

  test("an event whose metadata are torn is read as its data say, and stops no reader of the log", async () => {
    await fill("a", 12);
    await sql(`update events set metadata = '{"user":' ${eventOf(2, "a")}`);
    expect((await node().get("a")).state.balance).toBe(12);
    let log: readonly object[] = [];
    await until(async () => (log = (await readLog(Purse, store, new PlaceChecks(store), "", 20)).events).length === 12);
    expect(log.map(event => "broken" in event).indexOf(true)).toBe(1);
    expect(log.filter(event => "broken" in event)).toEqual([expect.not.objectContaining({ isNewer: true })]);
  });

  test("a state at a version whose events are missing is no version that was never there", async () => {
    await fill("a", 12);
    await sql(`delete from events ${eventOf(12, "a")}`);
    const host = node();
    expect((await host.stateAt("a", 11)).state.balance).toBe(11);
    expect(await typeOf(host.stateAt("a", 12))).toBe("HOLE_IN_STREAM");
    expect(await typeOf(host.stateAt("a", 13))).toBe("VERSION_NOT_FOUND");
  });

  test.each([0, -1, 99])("a snapshot whose version is damaged, %d, is as good as none", async version => {
    await fill("a", 12);
    await sql(`update snapshots set version = ${version}`);
    expect(await node().get("a")).toEqual({ id: "a", version: 12, state: { balance: 12, notes: 0 } });
    expect(await aside()).toEqual({});
  });

  test.each([1, 5, 12])("whatIf: an event that is missing, %d, is told", async version => {
    await fill("a", 12);
    await sql(`delete from events ${eventOf(version, "a")}`);
    expect(await typeOf(node().whatIf("a"))).toBe("HOLE_IN_STREAM");
  });

  test.each(["nonsense", "null", "5"])("whatIf: metadata that is damaged, %s, is told", async metadata => {
    await fill("a", 3);
    await sql(`update events set metadata = '${metadata}' ${eventOf(2, "a")}`);
    expect(await typeOf(node().whatIf("a"))).toBe("EVENT_DAMAGED");
  });

  test("whatIf: a number of events that cannot be is not believed, and does not go round for ever", async () => {
    await fill("a", 3);
    await sql(`update events set metadata = '{"events":0}' ${eventOf(2, "a")}`);
    expect(await node().whatIf("a")).toEqual({ id: "a", version: 3, differences: [] });
  });

  test("whatIf: a decision of today that cannot be stored is a difference", async () => {
    await fill("a", 1);
    const decide = { ...Purse.decide, earn: () => [{ type: "purse.earned", data: { amount: 1, by: 5n } }] };
    const { differences } = await node({}, { ...Purse, decide } as never).whatIf("a");
    expect(differences).toMatchObject([{ version: 1, actual: { refused: expect.stringContaining("BigInt") } }]);
  });

  test("whatIf: a decision of today whose data comes later is a difference, and its rejection ends nothing", async () => {
    await fill("a", 1);
    const late = () => [{ type: "purse.earned", data: Promise.reject(new Error("nobody listens")) }];
    const { differences } = await node({}, { ...Purse, decide: { ...Purse.decide, earn: late } } as never).whatIf("a");
    expect(differences).toMatchObject([{ version: 1, actual: { refused: expect.stringContaining("promise") } }]);
  });

  test("events that only a snapshot hides are not archived", async () => {
    await fill("a", 12);
    await fill("b", 12);
    await sql(`delete from events ${eventOf(5, "a")}`);
    const all = { olderThanMs: -60_000, limit: 10 };
    const release = async (streams: readonly { id: string }[]) => ({
      ids: new Set(streams.map(({ id }) => id)),
      kept: [],
    });
    const Finished: Actor = { ...(Purse as Actor), finished: () => true };
    expect(await archiveFinished(Finished, store, all, 100, release)).toMatchObject({ examined: 2, archived: 1 });
    expect((await node().get("a")).version).toBe(12);
  });

  test.each(["nonsense", "null", "{}", '{"reply":5}', '{"refusal":null}'])(
    "a recorded answer that is damaged, %s, is a bug of that repetition alone, and nothing is said about its effect",
    async answer => {
      const key = { commandId: "client:u:1" };
      await node().execute("a", "earn", { amount: 2 });
      await node().execute("a", "spend", { amount: 1 }, key);
      await sql(`update commands set answer = '${answer}' where command_id = '${key.commandId}'`);
      const host = node({ limits: { mailboxSlots: 2 } });
      for (let i = 0; i < 3; i++) {
        expect(await typeOf(host.execute("a", "spend", { amount: 1 }, key))).toBe("ANSWER_DAMAGED");
        expect(await typeOf(host.abandon("a", key.commandId))).toBe("ANSWER_DAMAGED");
      }
      expect(await typeOf(node().abandon("a", key.commandId))).toBe("ANSWER_DAMAGED");
      expect(await host.execute("a", "earn", { amount: 1 })).toEqual({ id: "a", version: 3 });
    },
  );

  test("a read that fails beside an unusable snapshot is not damage: nothing is written about it", async () => {
    await fill("a", 12);
    await sql(`update snapshots set state = '{"balance":10}'`);
    const shaky = gated().store;
    shaky.readStream = () => fail("STORE_UNAVAILABLE");
    const host = node({}, Purse, shaky);
    expect(await typeOf(host.get("a"))).toBe("STORE_UNAVAILABLE");
    expect(await aside()).toEqual({});
    shaky.readStream = (...args) => store.readStream(...args);
    expect((await host.get("a")).state.balance).toBe(12);
  });

  test("rows that are missing for a moment are no damage: a stream is archived between two statements of a read", async () => {
    await fill("a", 12);
    const moving = gated().store;
    moving.load = async (...args) => {
      moving.load = (...args) => store.load(...args);
      return { ...(await store.load(...args)), events: [] };
    };
    expect((await node({}, Purse, moving).get("a")).state.balance).toBe(12);
    expect(await aside()).toEqual({});
  });

  /** The next release of the purse: it knows one more event, and a later version of another. */
  const newerContract = {
    ...contract,
    events: { ...contract.events, "purse.melted": {} },
    versions: { "purse.earned": 2 },
  };
  const Newer = {
    ...Purse,
    contract: newerContract,
    decide: { ...Purse.decide, clear: () => [{ type: "purse.melted", data: {} }] },
    evolve: { ...Purse.evolve, "purse.melted": () => ({ balance: 0, notes: 0 }) },
    upcasters: { "purse.earned": { 1: (data: object) => data } },
  } as never;

  test.each([
    ["an event type", "clear", {}],
    ["an event's version", "earn", { amount: 2 }],
  ])(
    "%s of the next release is unavailable to a node of this one, which tells nobody else: the new node goes on",
    async (_what, command, params) => {
      const [old, next] = [node(), node({}, Newer)];
      await old.execute("a", "earn", { amount: 1 });
      await next.execute("a", command, params);
      const unreadable = { type: "UNREADABLE_HERE", code: 503, retryable: true, data: { outcome: "none" } };
      for (const ask of [
        () => old.get("a", { consistent: true }),
        () => old.execute("a", "earn", { amount: 1 }),
        () => old.history("a", 1, 10),
        () => old.stateAt("a", 2),
        () => old.whatIf("a"),
      ])
        await expect(ask()).rejects.toMatchObject(unreadable);
      expect(await aside()).toEqual({});
      expect(await next.execute("a", "earn", { amount: 3 })).toEqual({ id: "a", version: 3 });
      expect((await old.stateAt("a", 1)).state.balance).toBe(1);
      let log: readonly object[] = [];
      // On Postgres what others have under way on the server may hold events back for a while.
      await until(
        async () => (log = (await readLog(Purse, store, new PlaceChecks(store), "", 10)).events).length === 3,
      );
      expect(log.map(event => "broken" in event)).toEqual([false, true, true]);
      expect(log.slice(1)).toEqual([2, 3].map(version => expect.objectContaining({ version, isNewer: true })));
    },
  );

  test("P4 a place is looked up again and again while its reader waits there: the log may be put back under the node", async () => {
    const host = node();
    for (let i = 0; i < 3; i++) await host.execute("a", "earn", { amount: 1 });
    let now = 0;
    const places = new PlaceChecks(store, () => now);
    type Place = Pick<Awaited<ReturnType<typeof readLog>>, "cursor" | "mark" | "fault">;
    let place: Place = { cursor: "" };
    const read = async () => (place = await readLog(Purse, store, places, place.cursor, 10, place.mark));
    // On Postgres what others have under way on the server may hold events back for a while.
    await until(async () => (await read()).mark?.includes('"purse.a",3') === true);
    await sql(`update events set data = '{"amount":2}' ${eventOf(3, "a")}`);
    for (; now <= 10_000 && place.fault === undefined; now += 500) await read();
    expect(place.fault).toMatchObject({ reason: expect.stringMatching(/purse\.a@3.* is another one/) });
  });

  const folding = (earned: () => never): Actor =>
    ({ ...Purse, evolve: { ...Purse.evolve, "purse.earned": earned } }) as never;
  const One = folding(() => {
    throw new TypeError("no such coin");
  });
  const Two = folding(() => {
    throw new TypeError("still no such coin");
  });

  test("a fold that throws is unavailable on nodes of its release alone, with the reason in the list; another releases it", async () => {
    const [old, next] = [node(), node({}, One)];
    await old.execute("a", "earn", { amount: 1 });
    for (const host of [next, next, node({}, One)])
      await expect(host.get("a")).rejects.toMatchObject({
        type: "UNREADABLE_HERE",
        message: expect.stringContaining("no such coin"),
        data: { outcome: "none" },
      });
    const found = await aside();
    expect(found).toEqual({
      "purse.a": expect.stringMatching(/^unreadable by release [\w-]{8}: purse\.a@1: no such coin$/),
    });
    // Its owner, which has it in memory, and one that loads it.
    expect(await old.execute("a", "earn", { amount: 1 })).toEqual({ id: "a", version: 2 });
    expect((await node().get("a")).version).toBe(2);
    expect(await aside()).toEqual({});
  });

  test("a fold that throws on two releases puts its stream aside for both; a third tries for itself, and mends it", async () => {
    await node().execute("a", "earn", { amount: 1 });
    expect(await typeOf(node({}, One).get("a"))).toBe("UNREADABLE_HERE");
    expect(await typeOf(node({}, Two).get("a"))).toBe("STREAM_QUARANTINED");
    expect(await typeOf(node({}, One).get("a"))).toBe("STREAM_QUARANTINED");
    expect(await typeOf(node({}, Two).get("a"))).toBe("STREAM_QUARANTINED");
    expect((await aside())["purse.a"]).toMatch(
      /^unreadable by release [\w-]{8}, [\w-]{8}: purse\.a@1: still no such coin$/,
    );
    expect((await node().get("a")).version).toBe(1);
    expect(await aside()).toEqual({});
  });

  test("a stream that the release before put into quarantine, taking an unknown event for damage, is tried anew", async () => {
    await node().execute("a", "earn", { amount: 1 });
    await store.quarantine("purse.a", 'purse.a@1: unknown event type "purse.earned"');
    expect((await node().get("a")).state.balance).toBe(1);
    expect(await aside()).toEqual({});
  });

  test("a stream in quarantine stays so, also for an activation that lives on", async () => {
    const host = node();
    await host.execute("a", "earn", { amount: 1 });
    await store.quarantine("purse.a", "damaged: looks odd");
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

  test("the actors used last stay, and those at work", async () => {
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

  test("P3 gets its first answer, whatever the services answer that it asks while it prepares", async () => {
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

  test("is refused by a stream in quarantine", async () => {
    await node().execute("a", "earn", { amount: 5 });
    await store.quarantine("purse.a", "damaged: broken");
    expect(await typeOf(watched().execute("a", "earn", { amount: 5 }))).toBe("STREAM_QUARANTINED");
  });
});
