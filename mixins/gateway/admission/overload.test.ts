// An event loop under overload, in simulated time: a machine that does other things too cannot disturb it. A request costs
// 1.3 ms of the loop (1 ms is the action's), then waits for 5 ms; reading one costs 0.03 ms, refusing one 0.07 ms, as measured.
import { EventEmitter } from "node:events";
import { expect, test } from "@jest/globals";
import { randomOf } from "../../testing/random.ts";
import { Entrance } from "./entrance.ts";
import { LoopClock } from "./loop-clock.ts";
import { PRIORITIES, type Priority } from "./priority.ts";

const COST_MS = { read: 0.03, work: 1.3, wait: 5, refuse: 0.07 };
/** Requests a second that the loop could answer if it did nothing else. */
const CAPACITY = 1_000 / (COST_MS.read + COST_MS.work);
const SECONDS = 20;
const GOOD_MS = 500;

class Client extends EventEmitter {
  readonly destroyed = false;
}

function simulate(load: number) {
  const random = randomOf(7);
  let now = 0;
  let decide: (() => void) | undefined;
  const clock = { now: () => now, monotonic: () => now };
  const entrance = new Entrance({
    clock,
    waits: new LoopClock(clock),
    nextTurn: callback => void (decide = callback),
    cpuMs: () => now,
  });
  const latencies: number[] = [];
  const offered = { critical: 0, normal: 0, bulk: 0 };
  const good = { critical: 0, normal: 0, bulk: 0 };
  /** Requests that wait for something else, in the order in which they will be done. */
  const pending: { doneAt: number; done: () => void }[] = [];

  const arrive = (dueAt: number, n: number): void => {
    now += COST_MS.read;
    const kind = random();
    const priority: Priority = kind < 0.1 ? "critical" : kind < 0.8 ? "normal" : "bulk";
    // In the first second the gateway does not know yet what a request costs; those of the last have no time to be answered.
    const counts = dueAt >= 1_000 && dueAt < SECONDS * 1_000;
    if (counts) offered[priority]++;
    entrance.enter({
      service: "works",
      route: "GET /works",
      priority,
      address: `10.0.${n % 250}`,
      client: new Client(),
      counts: () => true,
      leave: () => {},
      refuse: () => void (now += COST_MS.refuse),
      begin: turn => {
        now += COST_MS.work;
        const done = (): void => {
          turn.end();
          const ms = now - dueAt;
          if (ms > GOOD_MS || !counts) return;
          latencies.push(ms);
          good[priority]++;
        };
        pending.push({ doneAt: now + COST_MS.wait, done });
      },
    });
  };

  let due = 0;
  for (let n = 0; now < SECONDS * 1_000 + 1_000;) {
    // One turn of the loop: timers, sockets, then what was put off to its end.
    while (pending.length > 0 && pending[0]!.doneAt <= now) pending.shift()!.done();
    for (const ready = now; due <= ready; due += (-Math.log(1 - random()) * 1_000) / (load * CAPACITY))
      arrive(due, n++);
    const last = decide;
    decide = undefined;
    last?.();
    if (!decide) now = Math.max(now, Math.min(due, pending[0]?.doneAt ?? Infinity));
  }
  latencies.sort((a, b) => a - b);
  return {
    goodPerSecond: latencies.length / (SECONDS - 1),
    p99Ms: latencies[Math.floor(latencies.length * 0.99)]!,
    okShare: Object.fromEntries(PRIORITIES.map(priority => [priority, good[priority] / offered[priority]])),
  };
}

test("at three times the capacity nearly all of it is answered, as soon as usual, and the important first", () => {
  const usual = simulate(0.5);
  expect(usual.okShare).toEqual({ critical: 1, normal: 1, bulk: 1 });
  for (const load of [1.5, 2, 3]) {
    const { goodPerSecond, p99Ms, okShare } = simulate(load);
    expect(goodPerSecond).toBeGreaterThan(0.8 * CAPACITY);
    expect(p99Ms).toBeLessThan(4 * usual.p99Ms);
    expect(okShare["critical"]).toBeGreaterThan(0.999);
    expect(okShare["bulk"]).toBeLessThan(okShare["normal"]!);
  }
});
