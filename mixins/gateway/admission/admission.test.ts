import { EventEmitter } from "node:events";
import { expect, test } from "@jest/globals";
import { limits } from "../limits.ts";
import { Admission } from "./admission.ts";

class Client extends EventEmitter {
  destroyed = false;
  leave(): void {
    this.destroyed = true;
    this.emit("close");
  }
}
function start(callMsMax?: number) {
  let now = 0;
  const said: string[] = [];
  const clock = { now: () => now, monotonic: () => now };
  const places = new Admission({
    clock,
    ...(callMsMax !== undefined && { callMsMax }),
    say: message => said.push(message),
  });
  const ends: (() => void)[] = [];
  const run = (address: string, client = new Client()) => {
    const done = places.run(address, client, () => new Promise<string>(resolve => ends.push(() => resolve("done"))));
    done.catch(() => {});
    return { client, done };
  };
  /** Takes all places, from several addresses. */
  const fill = () => Array.from({ length: limits.requestsMax }, (_, n) => run(`10.0.0.${n % 10}`));
  return { places, said, ends, run, fill, pass: (ms: number) => (now += ms) };
}
const tick = () => new Promise(resolve => setImmediate(resolve));
const saturated = { type: "SATURATED", code: 503, data: { outcome: "none" } };

test("so many work at once, so many wait in their order, and the next is refused", async () => {
  const { places, ends, run, fill } = start();
  fill();
  const waiting = Array.from({ length: limits.requestsWaitingMax }, (_, n) => run(`10.1.0.${n % 200}`));
  await expect(run("10.2.0.1").done).rejects.toMatchObject(saturated);
  expect([places.taken, places.waiting, places.refused]).toEqual([limits.requestsMax, limits.requestsWaitingMax, 1]);
  ends[0]!();
  await tick();
  expect(ends).toHaveLength(limits.requestsMax + 1);
  ends.at(-1)!();
  expect(await waiting[0]!.done).toBe("done");
});

test("one address gets no more than its share, and other addresses get theirs", async () => {
  const { run, ends } = start();
  for (let n = 0; n < limits.requestsPerAddressMax; n++) run("10.0.0.1");
  await expect(run("10.0.0.1").done).rejects.toMatchObject(saturated);
  const other = run("10.0.0.2");
  ends.at(-1)!();
  expect(await other.done).toBe("done");
  ends[0]!();
  await tick();
  run("10.0.0.1");
  expect(ends).toHaveLength(limits.requestsPerAddressMax + 2);
});

test("every place is given back: of work that ends, fails or throws, and of clients that leave before their turn", async () => {
  const { places, ends, run, fill } = start();
  for (const work of [
    () => Promise.reject(new Error("no")),
    () => {
      throw new Error("at once");
    },
  ])
    await expect(places.run("10.0.0.1", new Client(), work)).rejects.toThrow();
  const gone = new Client();
  gone.leave();
  expect(await run("10.0.0.1", gone).done).toBeUndefined();
  expect(places.taken).toBe(0);

  fill();
  const [patient, impatient, late] = [run("10.1.0.1"), run("10.1.0.2"), run("10.1.0.3", gone)];
  impatient.client.leave();
  expect([await impatient.done, await late.done, places.waiting]).toEqual([undefined, undefined, 1]);
  // Its turn comes, and it leaves at that moment.
  ends[0]!();
  patient.client.leave();
  for (const end of ends.splice(0)) end();
  await patient.done;
  await tick();
  for (const end of ends.splice(0)) end();
  await tick();
  expect([places.taken, places.waiting]).toEqual([0, 0]);
  expect(patient.client.listenerCount("close")).toBe(0);
});

test("the log says once that all places are taken, and readiness says stuck when they stay so", async () => {
  const { places, said, ends, run, fill, pass } = start();
  fill();
  expect([places.isFull, places.isStuck]).toEqual([true, false]);
  run("10.1.0.1");
  run("10.1.0.2");
  expect(said).toEqual([expect.stringMatching(/all 1000 places are taken/)]);
  pass(limits.stuckMs + 1);
  expect(places.isStuck).toBe(true);
  ends[0]!();
  await tick();
  expect([places.isFull, places.isStuck]).toEqual([true, false]);
  for (const end of ends.splice(0)) end();
  await tick();
  expect(said).toHaveLength(2);
});

test("places that calls may take longer are stuck only after that", () => {
  const { places, fill, pass } = start(limits.stuckMs);
  fill();
  pass(limits.stuckMs + 1);
  expect(places.isStuck).toBe(false);
  pass(limits.stuckMs / 2);
  expect(places.isStuck).toBe(true);
});
