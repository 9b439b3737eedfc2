// What screens wait for: that something of theirs has changed.
import Type from "typebox";
import { silent } from "../params.ts";

export const TOPICS = ["overview", "sagas", "letters", "quarantine", "projections", "activity", "nodes"] as const;
export type Topic = (typeof TOPICS)[number];

const topic = Type.Enum([...TOPICS]);
const one = `(${TOPICS.join("|")})`;
const topics = Type.String({
  pattern: `^${one}(,${one}){0,${TOPICS.length - 1}}$`,
  maxLength: 100,
  description: `Names with commas between: ${TOPICS.join(", ")}`,
  examples: ["sagas,letters"],
});

/** A hint in a stream: how many there are now of what has changed. */
export const TopicHint = Type.Object({ topic, count: Type.Integer() }, { title: "Hint" });

export const hintContract = {
  actions: {
    /**
     * How many there are of each topic, all of them unless some are named: needs of the overview, open sagas, dead letters, actors in
     * quarantine, builds of projections, operations of the last hour (200 at most), nodes. `edition` is another text when anything
     * about the topic has changed. A topic is looked at for all who ask together, every few seconds at most, and for nobody not at
     * all; one that could not be looked at is `silent`. Over HTTP, unless JSON is asked for, an event comes for each topic, and again when
     * it has changed.
     */
    stream: {
      params: { topics: Type.Optional(topics) },
      returns: Type.Object({
        hints: Type.Array(Type.Object({ topic, count: Type.Integer(), edition: Type.String() })),
        silent,
      }),
    },
  },
  mayRefuse: { stream: [] },
  permissions: { stream: "operations:read" },
} as const;
