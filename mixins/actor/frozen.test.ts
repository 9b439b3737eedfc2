import { expect, test } from "@jest/globals";
import { deepFreeze } from "../kernel/index.ts";
import { stateFreezer } from "./frozen.ts";

const records = (n: number) => Array.from({ length: n }, (_, i) => ({ id: i }));
const isFrozen = (value: unknown): boolean => Object.isFrozen(value);

test("a state is frozen with all that it holds, in lists and maps as well", () => {
  const keep = stateFreezer();
  for (let i = 0; i < 100; i++) {
    const state = keep({ n: i, lines: records(10), by: { shelf: { held: [1] } } });
    expect([state, state.lines, state.lines[9], state.by.shelf.held].every(isFrozen)).toBe(true);
  }
});

test("a large list or map is always frozen itself, its entries now and then", () => {
  const keep = stateFreezer();
  let full = 0;
  for (let i = 0; i < 64; i++) {
    const state = keep({ lines: records(1_000), by: Object.fromEntries(records(1_000).entries()) });
    expect([state, state.lines, state.by].every(isFrozen)).toBe(true);
    const entries = [...state.lines, ...Object.values(state.by)];
    if (entries.every(isFrozen)) full++;
  }
  expect(full).toBe(2);
});

test("a value that is no object stays as it is", () => {
  const keep = stateFreezer();
  expect([keep(undefined), keep(null), keep(1), deepFreeze("text")]).toEqual([undefined, null, 1, "text"]);
});
