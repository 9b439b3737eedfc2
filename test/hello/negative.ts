// Code that must not compile. Each @ts-expect-error has to be needed: `npm run types` fails if one is not. The file is
// never run.
import Type from "typebox";
import { defineActor, given } from "@valence/runtime/actor";
import { defineContract, defineService, type Call, type EventData } from "@valence/runtime/contract";
import { Actors } from "@valence/runtime/actor/mixin";
import { Crud } from "@valence/runtime/crud/mixin";
import { defineErrors } from "@valence/runtime/kernel";
import { defineProjection } from "@valence/runtime/projection";
import { Projections } from "@valence/runtime/projection/mixin";
import { defineSaga } from "@valence/runtime/saga";
import { defineReactor } from "@valence/runtime/stream";
import { Reactors } from "@valence/runtime/stream/mixin";
import { Account } from "./loyalty/account.ts";
import { contract as rewards } from "./rewards/contract.ts";

const counter = defineContract({
  service: "counters",
  actor: "counter",
  state: { n: Type.Integer() },
  commands: { add: { by: Type.Integer() } },
  events: { "counter.added": { by: Type.Integer() }, "counter.reset": {} },
  refusals: ["NO"],
});
const initial = () => ({ n: 0 });
const decide = { add: () => [] };
const evolve = {
  "counter.added": (state: { readonly n: number }) => state,
  "counter.reset": (state: { readonly n: number }) => state,
};

// ---- actors
// @ts-expect-error an event without a fold
defineActor(counter)({ initial, decide, evolve: { "counter.added": (s, { by }) => ({ n: s.n + by }) } });
// @ts-expect-error a fold of an unknown event
defineActor(counter)({ initial, decide, evolve: { ...evolve, "counter.gone": s => s } });
// @ts-expect-error a command without a decision
defineActor(counter)({ initial, decide: {}, evolve });
// @ts-expect-error an unknown event type
defineActor(counter)({ initial, evolve, decide: { add: (_s, { by }) => [{ type: "counter.aded", data: { by } }] } });
// @ts-expect-error data of the wrong type
defineActor(counter)({ initial, evolve, decide: { add: () => [{ type: "counter.added", data: { by: "1" } }] } });
// @ts-expect-error an unknown field of a command
defineActor(counter)({ initial, evolve, decide: { add: (_s, { byy: _byy }) => [] } });
// @ts-expect-error a state of the wrong shape
defineActor(counter)({ initial: () => ({ m: 0 }), decide, evolve });
defineActor(counter)({
  initial,
  evolve,
  decide: {
    add: (_s, _c, { refuse }) => {
      // @ts-expect-error an unknown refusal
      throw refuse("NOPE");
    },
  },
});
const tank = defineContract({
  service: "tanks",
  actor: "tank",
  state: {},
  commands: { fill: { litres: Type.Integer() }, drain: {} },
  events: {},
  refusals: defineErrors({
    OVERFLOW: { status: 422, says: "{left} litres are left", todo: "fill in less" },
    LEAKS: { status: 409, says: "the tank leaks", todo: "mend it" },
    PUMP_AWAY: { status: 503, says: "the pump does not answer", todo: "try again" },
  }),
  mayRefuse: { fill: ["OVERFLOW", "PUMP_AWAY"] },
});
defineActor(tank)({
  initial: () => ({}),
  evolve: {},
  decide: {
    fill: (_s, { litres }, { refuse }) => {
      if (litres > 9) throw refuse("OVERFLOW", { left: 9, field: "litres" });
      // @ts-expect-error what it says needs a value
      throw refuse("OVERFLOW", { field: "litres" });
    },
    drain: (_s, _c, { refuse }) => {
      // @ts-expect-error the status is the catalogue's
      if (Date.now() > 0) throw refuse("LEAKS", { status: 400 });
      // @ts-expect-error a decision refuses; it is never unavailable
      throw refuse("PUMP_AWAY");
    },
  },
});
defineContract({
  service: "pumps",
  actions: { stop: { params: {}, returns: Type.Object({}) } },
  refusals: ["STUCK"],
  // @ts-expect-error a code that the contract does not have
  mayRefuse: { stop: ["STUK"] },
});
// @ts-expect-error an unknown field of an event
counter.event("counter.added", { by: 1, why: "" });

// ---- given, when, then
// @ts-expect-error an unknown command
given(Account).when("reedem", {});
// @ts-expect-error wrong params
given(Account).when("earn", { points: "4" });
// @ts-expect-error an unknown refusal
given(Account).when("earn", { points: 4 }).refuses("NO");
const later = given(Account).at("2026-01-01T12:00:00Z").when("earn", { points: 4 }).after({ minutes: 15 });
// @ts-expect-error no command of the actor
later.fires("reedem");
// @ts-expect-error no event of the actor
later.fires("earn", { type: "account.gone", data: {} });
// @ts-expect-error no unit of time
later.after({ minuts: 15 });
// @ts-expect-error a timer's command with wrong params
given(Account).waiting({ set: "bonus", afterMs: 1, command: "earn", params: { points: "4" } });

// ---- calls
declare const call: Call;
// @ts-expect-error an unknown action
void call("loyalty.reedem", { id: "1" });
// @ts-expect-error a missing param
void call("loyalty.redeem", { id: "1", points: 3 });
// @ts-expect-error a param too many
void call("loyalty.earn", { id: "1", points: 3, admin: true });
// @ts-expect-error an unknown field of the result
void call("loyalty.get", { id: "1" }).then(result => result.state.balence);
void (call("loyalty.get", { id: "1" }).then(result => result.state.owner) satisfies Promise<string | undefined>);
({ points: 1 }) satisfies EventData<"account.earned">;
// @ts-expect-error the shop's contracts are not in sight: the runtime stands without them
void call("orders.get", { id: "1" });

// ---- services
const stock = () => ({ left: 1 });
const ship = () => ({ trackingId: "1" });
// @ts-expect-error a handler is missing
defineService(rewards, { actions: { reserve: stock, release: stock } });
// @ts-expect-error a wrong result
defineService(rewards, { actions: { reserve: () => ({ left: "1" }), release: stock, ship } });
// @ts-expect-error no handlers at all
defineService(rewards, {});

// ---- sagas
const refund = ["loyalty.refund", () => ({ id: "1", points: 1, reason: "" })] as ["loyalty.refund", () => any];
// @ts-expect-error an unknown event starts it
defineSaga("x", { startedBy: "account.redeemd", otherwise: refund });
const saga = defineSaga("x", {
  startedBy: "account.redeemed",
  otherwise: [
    "loyalty.refund",
    ({ event }, { type }) => ({ id: event.stream, points: event.data.points, reason: type }),
  ],
});
const mug = () => ({ rewardId: "mug", redemption: "1" });
// @ts-expect-error the compensation does not take these params
saga.step("r", "rewards.reserve", mug, { undo: "loyalty.refund" });
// @ts-expect-error by name alone only what takes the very params of the step: earn takes fewer than refund
saga.step("r", "loyalty.refund", () => ({ id: "1", points: 1, reason: "" }), { undo: "loyalty.earn" });
// @ts-expect-error an undo with wrong params of its own
saga.step("r", "rewards.reserve", mug, { undo: ["loyalty.earn", ({ sent }) => ({ id: sent.rewardId, points: "1" })] });
// @ts-expect-error what it undoes may have no answer
saga.step("r", "rewards.reserve", mug, { undo: ["loyalty.earn", ({ done }) => ({ id: "1", points: done.r.left })] });
saga.step("r", "rewards.reserve", mug, {
  undo: ["loyalty.earn", ({ sent, done, event }) => ({ id: event.stream + sent.rewardId, points: done.r?.left ?? 0 })],
});
// @ts-expect-error wrong params
saga.step("r", "rewards.reserve", ({ event }) => ({ ...mug(), rewardId: event.data.points }));
// @ts-expect-error the result of a step that has not run
saga.step("s", "rewards.ship", ({ done }) => ({ rewardId: "x", to: "y", left: done.reserve.left }));
const afterPivot = saga.pivot("s", "rewards.reserve", mug);
// An undo past the pivot is for an operator, and is checked all the same.
afterPivot.step("t", "rewards.reserve", mug, { undo: "rewards.release" });
// @ts-expect-error the operator's undo does not take these params
afterPivot.step("t", "rewards.reserve", mug, { undo: "loyalty.refund" });
// @ts-expect-error there is one pivot
void afterPivot.pivot;

// ---- projections, reactors
// @ts-expect-error an unknown event
defineProjection({ name: "p", version: 1, tables: {}, on: { "account.gone": async () => {} } });
defineProjection({
  name: "p",
  version: 1,
  tables: { t: { id: Type.String() } },
  // @ts-expect-error a row of the wrong type
  on: { "account.earned": ({ data }, { t }) => t.upsert({ id: data.points }) },
});
defineReactor({
  name: "r",
  // @ts-expect-error wrong params
  on: { "account.earned": ({ stream }, { call }) => call("loyalty.earn", { id: stream, points: "1" }) },
});

// ---- what `this` has from the mixins
const views = defineContract({ service: "views", actions: { of: { params: {}, returns: Type.Unknown() } } });
const Nights = defineProjection({ name: "nights", version: 1, tables: { rows: { id: Type.String() } }, on: {} });
const Rooms = defineProjection({ name: "rooms", version: 1, tables: { rooms: { id: Type.String() } }, on: {} });
const welcome = defineReactor({ name: "r", on: {} });
defineService(views, {
  mixins: [Projections([Nights, Rooms]), Reactors(welcome)],
  actions: {
    async of() {
      // @ts-expect-error a misspelt projection
      this.projection("nigths");
      // @ts-expect-error a table of another projection
      this.projection("nights").table("rooms");
      await this.projection("rooms").waitFor("1@1");
      return this.projection("nights").table("rows").first();
    },
  },
  async started() {
    // @ts-expect-error a misspelt projection
    this.projection("rom");
  },
});
defineService(views, {
  mixins: [Projections(Nights)],
  actions: {
    of: {
      repeatable: true,
      handler() {
        // @ts-expect-error a misspelt projection
        return this.projection("nigths");
      },
    },
  },
});
defineService(views, {
  mixins: [Actors(Account), Crud<{ id: string }>({ table: "t", fields: {}, migrations: [] })],
  actions: {
    async of() {
      // @ts-expect-error a misspelt field of the actor's state
      void (await this.actors.get("1")).state.balence;
      // @ts-expect-error a misspelt method of the host
      void this.actors.history_("1");
      // @ts-expect-error a misspelt field of an entity
      void (await this.adapter.findById("1"))?.idd;
      return (await this.actors.get("1")).state.balance satisfies number;
    },
  },
});
