// A node of a test's cluster with as little as a saga can be: each errand starts one that has it carried, by a courier who
// comes back only when the file `HOLD` is gone, and then says that it is done.
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { ServiceBroker } from "moleculer";
import Type from "typebox";
import { brokerOptions } from "@valence/runtime/broker";
import { defineActor } from "@valence/runtime/actor";
import { Actors } from "@valence/runtime/actor/mixin";
import { defineContract, defineService } from "@valence/runtime/contract";
import { minutes, readEnvironment, seconds, Unavailable } from "@valence/runtime/kernel";
import { defineSaga } from "@valence/runtime/saga";
import { Sagas } from "@valence/runtime/saga/mixin";

const errands = defineContract({
  service: "errands",
  actor: "errand",
  state: { isDone: Type.Boolean() },
  commands: { make: {}, finish: {} },
  events: { "errand.made": {}, "errand.done": {} },
});
const couriers = defineContract({
  service: "couriers",
  actions: { carry: { params: { errand: Type.String() }, returns: Type.Object({}) } },
});
declare global {
  interface Contracts {
    errands: typeof errands;
    couriers: typeof couriers;
  }
}

const Errand = defineActor(errands)({
  initial: () => ({ isDone: false }),
  decide: {
    make: () => [errands.event("errand.made", {})],
    // It is counted how often an errand is finished: another command id would finish it once more.
    finish: () => [errands.event("errand.done", {})],
  },
  evolve: {
    "errand.made": state => state,
    "errand.done": () => ({ isDone: true }),
  },
});

const Delivery = defineSaga("delivery", {
  startedBy: "errand.made",
  otherwise: ["errands.finish", ({ event }) => ({ id: event.stream })],
})
  .step("carry", "couriers.carry", ({ event }) => ({ errand: event.stream }), { timeoutMs: minutes(60) })
  .pivot("finish", "errands.finish", ({ event }) => ({ id: event.stream }));

/** Milliseconds that a courier is away at most: as long as a saga waits for one call. */
const AWAY_MS = seconds(10);
const hold = process.env["HOLD"]!;

const broker = new ServiceBroker(brokerOptions(readEnvironment()));
broker.createService(defineService(errands, { mixins: [Actors(Errand)] }));
broker.createService(
  defineService(couriers, {
    actions: {
      async carry() {
        for (const end = performance.now() + AWAY_MS; performance.now() < end; await sleep(200))
          if (!existsSync(hold)) return {};
        throw new Unavailable("AWAY", { outcome: "none" });
      },
    },
  }),
);
broker.createService({ name: "deliveries", mixins: [Sagas(Delivery)] });
await broker.start();
console.log("started");
