// A jest sequencer: files with `@slow` in their head take minutes and begin first, so that none of them runs alone at
// the end; then tests with servers and processes, then the others. Jest's own order comes from the last run, and on a
// fresh clone from the size of files, which does not show how long fault tests take.
import { openSync, closeSync, readSync } from "node:fs";
import Sequencer from "@jest/test-sequencer";
import { kindOf } from "./kinds.ts";

/** Bytes of a file's head. */
const HEAD_BYTES = 1_024;

interface Suite {
  readonly path: string;
}

// The types of @jest/test-sequencer describe its CommonJS build, Node imports the other one.
const Base = Sequencer as unknown as new (options: object) => object;

export default class SlowFirst extends Base {
  sort<S extends Suite>(suites: readonly S[]): S[] {
    const ranks = new Map(suites.map(({ path }) => [path, rankOf(path)]));
    return suites.toSorted((a, b) => ranks.get(a.path)! - ranks.get(b.path)! || (a.path < b.path ? -1 : 1));
  }
}

function rankOf(path: string): number {
  if (kindOf(path).projects.includes("unit")) return 2;
  return /^\/\/.*@slow\b/m.test(headOf(path)) ? 0 : 1;
}

function headOf(path: string): string {
  const file = openSync(path, "r");
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    return head.toString("utf8", 0, readSync(file, head, 0, HEAD_BYTES, 0));
  } finally {
    closeSync(file);
  }
}
