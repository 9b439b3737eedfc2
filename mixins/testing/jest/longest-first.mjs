// A jest sequencer: the suites that take minutes begin first, so that none of them runs alone at the end. Jest orders by
// what it remembers of the last run, and on a fresh clone by the size of files, which says nothing about fault tests.
// JavaScript: the types of @jest/test-sequencer describe its CommonJS build, Node imports the other one.
import Sequencer from "@jest/test-sequencer";

/** Longest first. What is not named here follows, tests with servers and processes before the others. */
const LONGEST = [
  "test/cluster/failure.",
  "test/chaos/kill.",
  "postgres/shards.",
  "postgres/reshard.",
  "postgres/pods.",
  "mixins/saga/saga.int.",
  "postgres/crashes.",
  "jetstream.int.",
  "test/cluster/relay.",
  "test/e2e/migrate.",
  ".int.test.ts",
];

function rank({ path }) {
  const at = LONGEST.findIndex(part => path.includes(part));
  return at < 0 ? LONGEST.length : at;
}

export default class LongestFirst extends Sequencer {
  sort(suites) {
    return suites.toSorted((a, b) => rank(a) - rank(b) || (a.path < b.path ? -1 : 1));
  }
}
