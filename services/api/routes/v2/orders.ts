import Type from "typebox";
import { omit, pick, strictObject } from "@valence/runtime/contract";
import { one, page, shape, type Succession } from "@valence/runtime/gateway";
import { contract as views } from "../../../order-views/contract.ts";
import { contract, Order } from "../../../orders/contract.ts";
import { Change } from "../orders.ts";

const { place, refund } = contract.commands;
const { timeline } = contract.actions;
const { list } = views.actions;

/** Every command answers these besides its own fields; the version is about the order, and goes into `meta`. */
const reply = { id: Type.String(), version: Type.Integer() };
const placed = shape(Type.Object({ ...reply, ...contract.replies.place }))
  .drop("version")
  .rename({ status: "state", lines: "items", placedAt: "placed" });
const cancelled = shape(Type.Object({ ...reply, ...contract.replies.cancel }))
  .drop("version")
  .rename({ status: "state" });
const refunded = shape(Type.Object({ ...reply, ...contract.replies.refund })).drop("version");
const meta = ["version"] as const;

const returned = shape(Order.properties.refunds.items).rename({ lines: "items" });

export const order = shape(Order)
  .drop("version")
  .each("refunds", returned)
  .default("refunds", [])
  .move("trackingId", "shipment.trackingId")
  .rename({ status: "state", lines: "items", placedAt: "placed" });

/** In version 1 `items` was the number of pieces here, and the lines of the order elsewhere. */
export const listed = shape(list.returns.properties.rows.items).rename({
  status: "state",
  items: "pieces",
  placedAt: "placed",
  updatedAt: "updated",
});

const event = timeline.returns.properties.events.items;

export const orders = {
  "POST /orders": {
    body: shape(strictObject(omit(place, "customer"))).rename({ lines: "items" }),
    answer: one(placed, { meta }),
  },
  "GET /orders": {
    query: shape(strictObject(omit(list.params, "customer", "status", "from", "to"))).drop("page"),
    answer: page(list.returns, "rows", listed),
  },
  "GET /orders/:id": { answer: one(order, { meta }) },
  "GET /orders/:id/history": {
    // The data of an event is the fact as it was recorded, in the words of the event catalogue.
    query: shape(strictObject(pick(timeline.params, "from", "cursor", "pageSize"))).drop("from"),
    answer: page(timeline.returns, "events", shape(event), { meta: ["id"] }),
  },
  "POST /orders/:id/cancel": { answer: one(cancelled, { meta }) },
  "POST /orders/:id/refunds": {
    body: shape(strictObject(omit(refund, "refundId"))).rename({ lines: "items" }),
    answer: one(refunded, { meta }),
  },
  "GET /orders/:id/stream": {
    event: shape(Change).move("trackingId", "shipment.trackingId").rename({ status: "state" }),
  },
} satisfies Readonly<Record<string, Succession>>;
