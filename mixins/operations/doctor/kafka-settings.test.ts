import { expect, test } from "@jest/globals";
import { lineOf } from "./finding.ts";
import { resultsOf } from "./kafka-settings.ts";

const topic = {
  name: "library.loans",
  source: "loans",
  replicas: 3,
  outOfSync: 0,
  leaderless: 0,
  settings: {
    "min.insync.replicas": "2",
    "retention.ms": "604800000",
    "cleanup.policy": "delete",
    "unclean.leader.election.enable": "false",
  },
};
const said = (over: object, settings: object = {}, facts: object = {}): string =>
  resultsOf({
    brokers: 3,
    settings: { "auto.create.topics.enable": "false" },
    topics: [{ ...topic, ...over, settings: { ...topic.settings, ...settings } }],
    unseen: [],
    ...facts,
  })
    .map(result => lineOf({ subject: "kafka", ...result }))
    .join("\n");

test("three copies of which two acknowledge are well, and so is one broker by itself", () => {
  expect(said({})).not.toMatch(/warn|FAIL/);
  expect(said({ replicas: 1 }, { "min.insync.replicas": "1" }, { brokers: 1 })).not.toMatch(/warn|FAIL/);
});

test.each<[RegExp, ...Parameters<typeof said>]>([
  [/has 1 of 3 copies.*KAFKA_REPLICATION=3/, { replicas: 1 }],
  [/one copy \(min\.insync\.replicas=1\).*min\.insync\.replicas=2/, {}, { "min.insync.replicas": "1" }],
  [/needs all of its 3 copies.*min\.insync\.replicas=2/, {}, { "min.insync.replicas": "3" }],
  [/lacks events.*unclean/, {}, { "unclean.leader.election.enable": "true" }],
  [/compacted/, {}, { "cleanup.policy": "compact" }],
  [/keeps events for 60 min/, {}, { "retention.ms": "3600000" }],
  [/4 partitions with copies that are not in sync/, { outOfSync: 4 }],
  [/1 partition without a leader/, { leaderless: 1, outOfSync: 1 }],
  [/misspelt/, {}, {}, { settings: { "auto.create.topics.enable": "true" } }],
  [
    /library\.fines cannot be seen \(it is missing\).*migrate/,
    {},
    {},
    { unseen: [{ name: "library.fines", source: "fines", reason: "it is missing" }] },
  ],
])("warns: %s", (words, ...changes) => {
  expect(said(...changes)).toMatch(words);
});
