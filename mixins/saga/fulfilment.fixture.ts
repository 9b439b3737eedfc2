// A small domain for the tests of this floor: a wish takes parts from shelves, is paid, booked (the pivot) and sent.
import Type from "typebox";
import { defineContract } from "../contract/index.ts";
import { defineSaga } from "./index.ts";

const Line = Type.Object({ shelf: Type.String(), quantity: Type.Integer() });
export const wishes = defineContract({
  service: "wishes",
  actor: "wish",
  state: { status: Type.Optional(Type.String()), reason: Type.Optional(Type.String()) },
  commands: {
    make: { lines: Type.Array(Line), card: Type.String() },
    cancel: {},
    book: {},
    fail: { reason: Type.String() },
  },
  events: {
    "wish.made": { lines: Type.Array(Line), card: Type.String() },
    "wish.cancelled": {},
    "wish.booked": {},
    "wish.failed": { reason: Type.String() },
  },
  refusals: ["WISH_EXISTS", "WISH_CANCELLED"],
});
export const shelves = defineContract({
  service: "shelves",
  actor: "shelf",
  state: { parts: Type.Integer(), taken: Type.Record(Type.String(), Type.Integer()) },
  commands: {
    fill: { quantity: Type.Integer() },
    take: { wish: Type.String(), quantity: Type.Integer() },
    giveBack: { wish: Type.String(), quantity: Type.Integer() },
    sweep: { wish: Type.String() },
  },
  events: {
    "shelf.filled": { quantity: Type.Integer() },
    "shelf.taken": { wish: Type.String(), quantity: Type.Integer() },
    "shelf.given_back": { wish: Type.String(), quantity: Type.Integer() },
  },
  refusals: ["NOT_ENOUGH_PARTS"],
});
/** Effects outside an actor, by plain actions that are idempotent by the wish. */
export const outside = defineContract({
  service: "outside",
  actions: {
    charge: {
      params: { wish: Type.String(), card: Type.String() },
      returns: Type.Object({ chargeId: Type.String() }),
    },
    reverse: { params: { wish: Type.String(), card: Type.String() }, returns: Type.Object({}) },
    send: { params: { wish: Type.String(), chargeId: Type.String() }, returns: Type.Object({}) },
  },
  refusals: ["CARD_DECLINED", "NO_SUCH_ADDRESS"],
});
declare global {
  interface Contracts {
    wishes: typeof wishes;
    shelves: typeof shelves;
    outside: typeof outside;
  }
}

export const Fulfilment = defineSaga("fulfilment", {
  startedBy: "wish.made",
  otherwise: ["wishes.fail", ({ event }, failure) => ({ id: event.stream, reason: failure.type })],
})
  .each(
    "take",
    ({ event }) => event.data.lines,
    "shelves.take",
    ({ event }, { shelf, quantity }) => ({ id: shelf, wish: event.stream, quantity }),
    { undo: "shelves.giveBack", timeoutMs: 2_000 },
  )
  .step("charge", "outside.charge", ({ event }) => ({ wish: event.stream, card: event.data.card }), {
    undo: "outside.reverse",
    timeoutMs: 2_000,
  })
  .pivot("book", "wishes.book", ({ event }) => ({ id: event.stream }), { timeoutMs: 2_000 })
  .step("send", "outside.send", ({ event, done }) => ({ wish: event.stream, chargeId: done.charge.chargeId }));
