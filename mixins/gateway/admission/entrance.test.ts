import { EventEmitter } from "node:events";
import { expect, test } from "@jest/globals";
import type { Unavailable } from "../../kernel/index.ts";
import { callErrors } from "../../contract/index.ts";
import { limits } from "../limits.ts";
import { Entrance } from "./entrance.ts";
import type { Priority } from "./priority.ts";
import type { Turn } from "./turn.ts";

class Client extends EventEmitter {
  destroyed = false;
  leave(): void {
    this.destroyed = true;
    this.emit("close");
  }
}
interface Asked {
  name: string;
  service?: string;
  priority?: Priority;
  address?: string;
  counts?: boolean;
}

function start() {
  let now = 0;
  const turns: (() => void)[] = [];
  const clock = { now: () => now, monotonic: () => now };
  const nextTurn = (decide: () => void) => turns.push(decide);
  const entrance = new Entrance({ clock, waits: clock, nextTurn, cpuMs: () => now });
  const begun: string[] = [];
  const refused: string[] = [];
  const errors: Unavailable[] = [];
  const left: string[] = [];
  const started = new Map<string, Turn>();
  let addresses = 0;
  const enter = ({ name, service = "books", priority = "normal", address, counts = true }: Asked) => {
    const client = new Client();
    entrance.enter({
      service,
      route: `GET /${service}`,
      priority,
      address: address ?? `10.0.${++addresses >> 8}.${addresses & 255}`,
      client,
      counts: () => counts,
      begin: turn => {
        begun.push(name);
        started.set(name, turn);
      },
      leave: () => left.push(name),
      refuse: error => {
        refused.push(name);
        errors.push(error as Unavailable);
      },
    });
    return client;
  };
  return {
    entrance,
    begun,
    refused,
    errors,
    left,
    enter,
    pass: (ms: number) => (now += ms),
    /** One turn of the event loop; false when none was asked for. */
    turn: () => {
      const [decide] = turns.splice(0);
      decide?.();
      return decide !== undefined;
    },
    end: (name: string) => started.get(name)!.end(),
    /** A call that is answered when told. */
    call: (name: string) => {
      const { promise, resolve, reject } = Promise.withResolvers<string>();
      const answer = started.get(name)!.work(() => promise);
      answer.catch(() => {});
      return { answer, resolve, reject };
    },
  };
}
const many = (n: number, of: (n: number) => Asked): Asked[] => Array.from({ length: n }, (_, i) => of(i));
const share = (entrance: Entrance, service: string) => entrance.shares.find(one => one.service === service);

test("a request that arrives is only queued; a turn of the loop begins a few", () => {
  const { enter, begun, turn, entrance } = start();
  for (const asked of many(limits.beginsPerTurn + 2, n => ({ name: `${n}` }))) enter(asked);
  expect([begun, entrance.waiting]).toEqual([[], limits.beginsPerTurn + 2]);
  turn();
  expect(begun).toEqual(many(limits.beginsPerTurn, n => ({ name: `${n}` })).map(({ name }) => name));
  expect(turn()).toBe(true);
  expect(begun).toHaveLength(limits.beginsPerTurn + 2);
  expect(turn()).toBe(false);
});

test("after a turn that other work made long as many are begun as ever", () => {
  const { enter, begun, pass, turn } = start();
  const { beginsPerTurn, requestMsMax } = limits;
  for (const asked of many(3 * beginsPerTurn, n => ({ name: `${n}` }))) enter(asked);
  turn();
  pass(beginsPerTurn * requestMsMax + 1);
  turn();
  expect(begun).toHaveLength(2 * beginsPerTurn);
});

/** Lets the entrance find what a request costs: so many milliseconds of the processor. */
const learn = ({ enter, pass, turn }: ReturnType<typeof start>, costMs: number): void => {
  const { beginsPerTurn, costRequests } = limits;
  for (let begun = 0; begun <= costRequests + beginsPerTurn; begun += beginsPerTurn) {
    for (const asked of many(beginsPerTurn + 1, n => ({ name: `${begun}, ${n}` }))) enter(asked);
    turn();
    pass(beginsPerTurn * costMs);
    while (turn());
  }
};

test("after a long turn fewer are begun, as many as the loop can bear, until turns are short again", () => {
  const { beginsPerTurn, beginsPerLongTurn, longTurnMs, turnMs } = limits;
  for (const [costMs, most] of [
    [turnMs / (beginsPerLongTurn - 1), beginsPerLongTurn],
    [turnMs / (2 * beginsPerLongTurn), 2 * beginsPerLongTurn],
    [turnMs / 100, beginsPerTurn],
  ] as const) {
    const one = start();
    const { enter, begun, pass, turn } = one;
    learn(one, costMs);
    begun.length = 0;
    for (const asked of many(4 * beginsPerTurn, n => ({ name: `${n}` }))) enter(asked);
    turn();
    pass(Math.max(longTurnMs + 1, beginsPerTurn * costMs));
    turn();
    expect(begun).toHaveLength(beginsPerTurn + most);
    turn();
    expect(begun).toHaveLength(2 * beginsPerTurn + most);
  }
});

test("a process that has begun only a few requests compiles its code: no turn counts as long", () => {
  const { enter, begun, pass, turn } = start();
  const { beginsPerTurn, longTurnMs } = limits;
  for (const asked of many(3 * beginsPerTurn, n => ({ name: `${n}` }))) enter(asked);
  turn();
  pass(longTurnMs + 1);
  turn();
  expect(begun).toHaveLength(2 * beginsPerTurn);
});

test("the most important are begun first, and services take turns", () => {
  const { enter, begun, turn } = start();
  enter({ name: "search", priority: "bulk" });
  enter({ name: "book 1" });
  enter({ name: "book 2" });
  enter({ name: "loan", service: "loans" });
  enter({ name: "pay", service: "loans", priority: "critical" });
  while (turn());
  expect(begun).toEqual(["pay", "book 1", "loan", "book 2", "search"]);
});

test("a burst may wait; in a standing queue everybody is refused after 50 ms, the critical later", () => {
  const { enter, refused, begun, errors, pass, turn, entrance } = start();
  // As many as a service may have at work.
  for (const asked of many(limits.callsPerServiceMax, n => ({ name: `${n}` }))) enter(asked);
  while (turn());
  enter({ name: "early" });
  turn();
  pass(limits.burstMs - 1);
  enter({ name: "pay", priority: "critical" });
  enter({ name: "read" });
  turn();
  expect(refused).toEqual([]);
  pass(limits.waitMs + 1);
  enter({ name: "next" });
  turn();
  expect(refused).toEqual(["early", "read"]);
  pass(limits.waitCriticalMs - limits.waitMs);
  enter({ name: "last" });
  turn();
  expect(refused).toEqual(["early", "read", "pay", "next"]);
  expect(Object.fromEntries(entrance.refused)).toEqual({ critical: 1, normal: 3, bulk: 0 });
  expect(begun).toHaveLength(limits.callsPerServiceMax);
  for (const error of errors) {
    expect(error).toMatchObject({ type: "SATURATED", code: 503, data: { outcome: "none" } });
    expect(error.data.retryAfterMs).toBeGreaterThanOrEqual(limits.retryAfterMs / 2);
    expect(error.data.retryAfterMs).toBeLessThanOrEqual(1.5 * limits.retryAfterMs);
  }
});

test("the newest is begun first while some are refused: the client of the oldest may have given up", () => {
  const { enter, begun, refused, pass, turn } = start();
  for (const { beginsPerTurn, burstMs } = limits; refused.length === 0;) {
    for (const asked of many(beginsPerTurn + 1, n => ({ name: `${n}` }))) enter(asked);
    pass(burstMs + 1);
    turn();
    turn();
  }
  begun.length = 0;
  enter({ name: "old" });
  pass(limits.freshMs + 1);
  enter({ name: "new" });
  turn();
  expect(begun).toEqual(["new", "old"]);
});

test("the oldest is begun first where all are answered", () => {
  const { enter, begun, pass, turn } = start();
  enter({ name: "old" });
  pass(limits.freshMs + 1);
  enter({ name: "new" });
  turn();
  expect(begun).toEqual(["old", "new"]);
});

test("after a pause of the whole process nobody is refused who was not passed over", () => {
  const { enter, begun, refused, pass, turn } = start();
  for (const asked of many(limits.beginsPerTurn + 1, n => ({ name: `${n}` }))) enter(asked);
  pass(60_000);
  turn();
  expect([begun.length, refused]).toEqual([limits.beginsPerTurn, [`${limits.beginsPerTurn}`]]);
});

test("a service that hangs fills its own share: the others' requests are begun in the same turn", () => {
  const { enter, begun, refused, turn, pass, entrance } = start();
  for (const asked of many(2 * limits.callsPerServiceMax, n => ({ name: `slow ${n}`, service: "loans" }))) enter(asked);
  while (turn());
  expect(share(entrance, "loans")).toMatchObject({ atWork: limits.callsPerServiceMax });
  enter({ name: "book" });
  turn();
  expect(begun.at(-1)).toBe("book");
  pass(limits.burstMs + 1);
  enter({ name: "another" });
  turn();
  expect(begun.at(-1)).toBe("another");
  expect(refused).toHaveLength(limits.callsPerServiceMax);
});

test("a full queue drops the oldest of the least important for one that is no less important", () => {
  const { enter, refused } = start();
  enter({ name: "search", priority: "bulk" });
  for (const asked of many(limits.waitingPerServiceMax - 1, n => ({ name: `${n}` }))) enter(asked);
  enter({ name: "pay", priority: "critical" });
  enter({ name: "read" });
  enter({ name: "search 2", priority: "bulk" });
  expect(refused).toEqual(["search", "0", "search 2"]);
});

test("one address has so many requests waiting and at work; each that ends makes room", () => {
  const { enter, refused, turn, end } = start();
  for (const asked of many(limits.requestsPerAddressMax, n => ({ name: `${n}`, address: "a" }))) enter(asked);
  enter({ name: "one too many", address: "a" });
  expect(refused).toEqual(["one too many"]);
  while (turn());
  end("7");
  enter({ name: "now", address: "a" });
  enter({ name: "again", address: "a" });
  expect(refused).toEqual(["one too many", "again"]);
});

test("a client that leaves is not begun, and gives back what it had", async () => {
  const { enter, begun, left, turn, call, end, entrance } = start();
  const waiting = enter({ name: "waits" });
  waiting.leave();
  turn();
  expect([begun, entrance.waiting, left]).toEqual([[], 0, []]);

  const client = enter({ name: "works" });
  turn();
  const { answer, resolve } = call("works");
  client.leave();
  expect(left).toEqual(["works"]);
  // Its call runs on, and counts until it is answered.
  expect(share(entrance, "books")?.atWork).toBe(1);
  resolve("done");
  await answer;
  expect(share(entrance, "books")?.atWork).toBe(0);
  const served = enter({ name: "is served" });
  turn();
  end("is served");
  served.leave();
  expect(left).toEqual(["works"]);
  expect([waiting, client, served].map(one => one.listenerCount("close"))).toEqual([0, 0, 0]);
});

test("a request whose body is on its way counts from its call on, and finds no more than the share", async () => {
  const { enter, turn, call, entrance } = start();
  enter({ name: "late body", counts: false });
  turn();
  expect(share(entrance, "books")?.atWork).toBe(0);
  for (const asked of many(limits.callsPerServiceMax, n => ({ name: `${n}` }))) enter(asked);
  while (turn());
  await expect(call("late body").answer).rejects.toMatchObject({ type: "SATURATED", data: { outcome: "none" } });
  expect(share(entrance, "books")?.atWork).toBe(limits.callsPerServiceMax);
});

test("a service that refuses calls for want of room gets fewer; other errors pass unchanged", async () => {
  const { enter, turn, call, entrance } = start();
  enter({ name: "1" });
  enter({ name: "2" });
  turn();
  const [full, broken] = [call("1"), call("2")];
  full.reject(callErrors.TOO_MANY_CALLS());
  await expect(full.answer).rejects.toMatchObject({ type: "TOO_MANY_CALLS" });
  expect(share(entrance, "books")?.limit).toBe(limits.callsPerServiceMax * limits.refusedFactor);
  broken.reject(new Error("broken"));
  await expect(broken.answer).rejects.toThrow("broken");
  expect(share(entrance, "books")?.limit).toBe(limits.callsPerServiceMax * limits.refusedFactor);
});
