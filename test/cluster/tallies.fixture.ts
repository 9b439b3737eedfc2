// The services on the nodes of the tests' clusters: an actor that counts, and actions by which a test changes a node
// from inside.
import type { Context, Service, ServiceSchema } from "moleculer";
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import Type from "typebox";
import { defineActor } from "@valence/runtime/actor";
import { Actors } from "@valence/runtime/actor/mixin";
import { defineContract, defineService } from "@valence/runtime/contract";
import { consuming, writer } from "../../mixins/stream/consumer/writer.fixture.ts";

const contract = defineContract({
  service: "tallies",
  actor: "tally",
  state: { count: Type.Integer() },
  commands: { add: {} },
  replies: { add: { count: Type.Integer() } },
  events: { "tally.added": {} },
});

const Tally = defineActor(contract)({
  initial: () => ({ count: 0 }),
  decide: { add: () => [contract.event("tally.added", {})] },
  evolve: { "tally.added": ({ count }) => ({ count: count + 1 }) },
  reply: { add: ({ count }) => ({ count }) },
});

export const tallies = defineService(contract, { mixins: [Actors(Tally)] });

/** On nodes with `READERS`: keeps a row for each event of the tallies. */
export const readers = consuming("readers", writer({ types: ["tally.added"] }));

/** On each node: called with its node id. */
export const nodes: ServiceSchema = {
  name: "nodes",
  actions: {
    whoAmI(this: Service) {
      return this.broker.nodeID;
    },
    /** Keeps the loop busy for so long, without a pause or, as under load, with one every `pauseEveryMs`. */
    async burn(ctx: Context<{ ms: number; pauseEveryMs: number }>) {
      for (const end = Date.now() + ctx.params.ms; Date.now() < end; await sleep(0))
        for (const pause = Date.now() + ctx.params.pauseEveryMs; Date.now() < pause;);
    },
    /** A call that runs as long as the file exists. */
    async hold(ctx: Context<{ file: string }>) {
      while (existsSync(ctx.params.file)) await sleep(10);
    },
    /** Nodes that this one would send a call to. */
    peers(this: Service) {
      const { endpoints } = this.broker.registry.actions.get("tallies.add") ?? { endpoints: [] };
      return endpoints.filter(endpoint => endpoint.isAvailable).map(({ id }) => id);
    },
  },
};
