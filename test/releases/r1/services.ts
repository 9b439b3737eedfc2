// The first release of a small domain: parcels are registered, stamped on their way and delivered by a saga. It stays as it
// was; what the next release changed is in `../r2`.
import Type from "typebox";
import { defineActor } from "@valence/runtime/actor";
import { Actors } from "@valence/runtime/actor/mixin";
import { defineContract, defineService } from "@valence/runtime/contract";
import { Crud } from "@valence/runtime/crud/mixin";
import { defineProjection, type Table } from "@valence/runtime/projection";
import { Projections } from "@valence/runtime/projection/mixin";
import { defineSaga } from "@valence/runtime/saga";
import { Sagas } from "@valence/runtime/saga/mixin";
import { defineReactor } from "@valence/runtime/stream";
import { Reactors } from "@valence/runtime/stream/mixin";

const parcels = defineContract({
  service: "parcels",
  actor: "parcel",
  state: { status: Type.Optional(Type.String()), grams: Type.Integer(), stamps: Type.Integer() },
  commands: {
    register: { grams: Type.Integer({ minimum: 1 }) },
    stamp: {},
    deliver: {},
    giveBack: { reason: Type.String() },
  },
  replies: { stamp: { stamps: Type.Integer() } },
  events: {
    "parcel.registered": { grams: Type.Integer() },
    "parcel.stamped": {},
    "parcel.delivered": {},
    "parcel.given_back": { reason: Type.String() },
  },
  refusals: ["PARCEL_EXISTS", "PARCEL_NOT_FOUND", "TOO_HEAVY"],
});
const slots = defineContract({
  service: "slots",
  actor: "slot",
  state: { taken: Type.Array(Type.String()), takings: Type.Integer() },
  commands: { take: { parcel: Type.String() }, free: { parcel: Type.String() } },
  events: { "slot.taken": { parcel: Type.String() }, "slot.freed": { parcel: Type.String() } },
});
const delivery = defineContract({ service: "delivery" });
const Row = { id: Type.String(), grams: Type.Integer(), stamps: Type.Integer(), status: Type.String() };
const boards = defineContract({
  service: "boards",
  actions: { of: { params: { id: Type.String(), after: Type.Optional(Type.String()) }, returns: Type.Object(Row) } },
});
const tickets = defineContract({ service: "tickets" });
const Depot = Type.Object({ id: Type.String(), name: Type.String() });
const depots = defineContract({
  service: "depots",
  actions: {
    add: { params: { name: Type.String() }, returns: Depot },
    get: { params: { id: Type.String() }, returns: Depot },
  },
});
declare global {
  interface Contracts {
    parcels: typeof parcels;
    slots: typeof slots;
    delivery: typeof delivery;
    boards: typeof boards;
    tickets: typeof tickets;
    depots: typeof depots;
  }
}

const HEAVY_GRAMS = 10_000;

const Parcel = defineActor(parcels)({
  initial: () => ({ grams: 0, stamps: 0 }),
  decide: {
    register: (state, { grams }, { refuse }) => {
      if (state.status !== undefined) throw refuse("PARCEL_EXISTS");
      return [parcels.event("parcel.registered", { grams })];
    },
    stamp: (state, _, { refuse }) => {
      if (state.status === undefined) throw refuse("PARCEL_NOT_FOUND");
      return [parcels.event("parcel.stamped", {})];
    },
    deliver: ({ grams }, _, { refuse }) => {
      if (grams >= HEAVY_GRAMS) throw refuse("TOO_HEAVY");
      return [parcels.event("parcel.delivered", {})];
    },
    giveBack: (_, { reason }) => [parcels.event("parcel.given_back", { reason })],
  },
  evolve: {
    "parcel.registered": (state, { grams }) => ({ ...state, status: "registered", grams }),
    "parcel.stamped": state => ({ ...state, stamps: state.stamps + 1 }),
    "parcel.delivered": state => ({ ...state, status: "delivered" }),
    "parcel.given_back": state => ({ ...state, status: "given back" }),
  },
  reply: { stamp: ({ stamps }) => ({ stamps }) },
  snapshotEvery: 4,
});

const Slot = defineActor(slots)({
  initial: () => ({ taken: [], takings: 0 }),
  decide: {
    take: ({ taken }, { parcel }) => (taken.includes(parcel) ? [] : [slots.event("slot.taken", { parcel })]),
    free: ({ taken }, { parcel }) => (taken.includes(parcel) ? [slots.event("slot.freed", { parcel })] : []),
  },
  evolve: {
    "slot.taken": ({ taken, takings }, { parcel }) => ({ taken: [...taken, parcel], takings: takings + 1 }),
    "slot.freed": ({ taken, takings }, { parcel }) => ({ taken: taken.filter(other => other !== parcel), takings }),
  },
});

const slotOf = (parcel: string) => ({ id: `s${parcel.length % 4}`, parcel });

const Delivery = defineSaga("delivery", {
  startedBy: "parcel.registered",
  otherwise: ["parcels.giveBack", ({ event }, { type }) => ({ id: event.stream, reason: type })],
})
  .step("reserve", "slots.take", ({ event }) => slotOf(event.stream), { undo: "slots.free" })
  .pivot("deliver", "parcels.deliver", ({ event }) => ({ id: event.stream }))
  .step("clear", "slots.free", ({ event }) => slotOf(event.stream));

interface BoardRow {
  id: string;
  grams: number;
  stamps: number;
  status: string;
}
const change = async (rows: Table<BoardRow>, id: string, with_: (row: BoardRow) => Partial<BoardRow>) => {
  const row = (await rows.find(id)) ?? { id, grams: 0, stamps: 0, status: "" };
  await rows.upsert({ ...row, ...with_(row) });
};
const Board = defineProjection({
  name: "board",
  version: 1,
  tables: { rows: Row },
  on: {
    "parcel.registered": ({ stream, data: { grams } }, { rows }) =>
      change(rows, stream, () => ({ grams, status: "registered" })),
    "parcel.stamped": ({ stream }, { rows }) => change(rows, stream, ({ stamps }) => ({ stamps: stamps + 1 })),
    "parcel.delivered": ({ stream }, { rows }) => change(rows, stream, () => ({ status: "delivered" })),
    "parcel.given_back": ({ stream }, { rows }) => change(rows, stream, () => ({ status: "given back" })),
  },
});

const Ticket = defineReactor({
  name: "ticket",
  on: {
    "parcel.delivered": ({ stream }, { call }) => call("slots.take", { id: `ticket-${stream}`, parcel: stream }),
  },
});

export const services = [
  defineService(parcels, { mixins: [Actors(Parcel)] }),
  defineService(slots, { mixins: [Actors(Slot)] }),
  defineService(delivery, { mixins: [Sagas(Delivery)] }),
  defineService(boards, {
    mixins: [Projections(Board)],
    actions: {
      async of({ params: { id, after } }) {
        const board = this["projection"]("board");
        if (after !== undefined) await board.waitFor(after);
        const row: BoardRow | undefined = await board.table("rows").where({ id }).first();
        const { grams, stamps, status } = row ?? { id, grams: 0, stamps: 0, status: "" };
        return { id, grams, stamps, status };
      },
    },
  }),
  defineService(tickets, { mixins: [Reactors(Ticket)] }),
  defineService(depots, {
    mixins: [
      Crud({
        table: "depots",
        fields: { id: "text", name: "text" },
        migrations: [
          {
            name: "001_depots",
            up: knex =>
              knex.schema.createTable("depots", table => {
                table.string("id").primary();
                table.string("name").notNullable();
              }),
          },
        ],
      }),
    ],
    actions: {
      async add({ params }) {
        return this["adapter"].insert(params);
      },
      async get({ params }) {
        return this["adapter"].findById(params.id);
      },
    },
  }),
];
