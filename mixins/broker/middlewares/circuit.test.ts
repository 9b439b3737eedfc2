import { expect, test } from "@jest/globals";
import { Circuit } from "./circuit.ts";

const options = { threshold: 0.5, minRequestCount: 4, windowTime: 30, halfOpenTime: 2_000 };
const start = () => new Circuit(options, 0);
const fail = (circuit: Circuit, times: number, now = 0): void => {
  for (let n = 0; n < times; n++) circuit.failed(circuit.begin(now), now);
};
const succeed = (circuit: Circuit, times: number, now = 0): void => {
  for (let n = 0; n < times; n++) circuit.succeeded(circuit.begin(now), now);
};

test("it opens at its share of failures, not before enough calls were made", () => {
  const circuit = start();
  fail(circuit, 3);
  expect([circuit.state, circuit.letsPass(0)]).toEqual(["closed", true]);
  fail(circuit, 1, 5);
  expect([circuit.state, circuit.since, circuit.nextTryAt]).toEqual(["open", 5, 2_005]);
  expect([circuit.letsPass(2_004), circuit.letsPass(2_005)]).toEqual([false, true]);
  expect([circuit.requests, circuit.failures]).toEqual([4, 4]);
});

test("answers outweigh failures below the share; calls of an earlier window are forgotten", () => {
  const circuit = start();
  succeed(circuit, 5);
  fail(circuit, 4);
  expect(circuit.state).toBe("closed");
  fail(circuit, 1, 30_001);
  expect([circuit.state, circuit.requests]).toEqual(["closed", 1]);
});

test("after its time one call passes as a trial; its answer closes the circuit and counts anew", () => {
  const circuit = start();
  fail(circuit, 4);
  const trial = circuit.begin(2_000);
  expect([trial.isTrial, circuit.state, circuit.letsPass(2_001)]).toEqual([true, "half-open", false]);
  circuit.succeeded(trial, 2_100);
  expect([circuit.state, circuit.since, circuit.nextTryAt, circuit.requests]).toEqual(["closed", 2_100, undefined, 0]);
});

test("a trial that fails opens it again; one that does not come back makes room for another", () => {
  const circuit = start();
  fail(circuit, 4);
  circuit.failed(circuit.begin(2_000), 2_010);
  expect([circuit.state, circuit.nextTryAt]).toEqual(["open", 4_010]);
  const lost = circuit.begin(4_010);
  expect(circuit.begin(5_000).isTrial).toBe(false);
  const second = circuit.begin(6_010);
  expect([lost.isTrial, second.isTrial, circuit.state]).toEqual([true, true, "half-open"]);
});

test("answers to calls from before it opened neither close it nor open it for longer", () => {
  const circuit = start();
  const [early, late] = [circuit.begin(0), circuit.begin(0)];
  fail(circuit, 4);
  circuit.succeeded(early, 100);
  circuit.failed(late, 1_900);
  expect([circuit.state, circuit.nextTryAt]).toEqual(["open", 2_000]);
});
