import Type, { type Static } from "typebox";
import { omit, pick } from "@valence/runtime/contract";
import { idFrom, newId } from "@valence/runtime/kernel";
import { API, eventStream, route } from "@valence/runtime/gateway";
import { contract as views } from "../../order-views/contract.ts";
import { contract, Status } from "../../orders/contract.ts";
import { contract as payments } from "../../payments/contract.ts";

const { place, cancel, refund } = contract.commands;
const { view, timeline } = contract.actions;
const path = pick(view.params, "id");

/** What an event may tell besides its status. */
const told = {
  reason: Type.Optional(Type.String()),
  outOfStock: Type.Optional(Type.Array(Type.String())),
  trackingId: Type.Optional(Type.String()),
};
const Change = Type.Object(
  {
    id: Type.String(),
    status: Status,
    version: Type.Integer(),
    at: Type.String(),
    ...told,
  },
  { title: "OrderChange" },
);
type Change = Static<typeof Change>;

export const orders = [
  route("POST /orders", "orders.place", {
    priority: "critical",
    summary: "Place an order from lines or from the cart; prices come from the catalog",
    body: omit(place, "customer"),
    example: {
      lines: [{ productId: "0190a0a0-0000-7000-8000-000000000000", quantity: 2 }],
      shippingAddress: { name: "Ada", line1: "1 Main St", city: "London", postalCode: "N1 9GU", country: "GB" },
      payment: { method: "card", token: "tok_ok" },
    },
    idempotent: true,
    // The same user and key name the same order, on any gateway and after any loss of cache: the actor answers a repeat
    // from its record, even when cart and prices have changed.
    params: ({ body, user, key }) => ({
      ...body,
      id: key === undefined ? newId() : idFrom(user.id, key),
      customer: user.id,
    }),
    status: 201,
    location: order => `${API}/orders/${order.id}`,
  }),
  route("GET /orders", "order-views.list", {
    summary: "Orders of the user, newest first",
    query: omit(views.actions.list.params, "customer"),
    list: "rows",
    params: ({ query, user }) => ({ ...query, customer: user.id }),
  }),
  route("GET /orders/:id", "orders.view", {
    summary: "An order of the user; administrators see all orders",
    path,
    versioned: true,
    params: ({ path }) => path,
  }),
  route("GET /orders/:id/history", "orders.timeline", {
    summary: "The events of an order",
    path: pick(timeline.params, "id"),
    query: pick(timeline.params, "from", "cursor", "pageSize"),
    list: "events",
    params: ({ path, query }) => ({ ...query, id: path.id }),
  }),
  route("POST /orders/:id/cancel", "orders.cancel", {
    summary: "Cancel an order that is not confirmed yet",
    path,
    body: pick(cancel, "reason"),
    idempotent: true,
    params: ({ path, body, user }) => ({
      ...body,
      id: path.id,
      ...(!user.roles.includes("admin") && { customer: user.id }),
    }),
  }),
  route("POST /orders/:id/refunds", "orders.refund", {
    summary: "Give money back: for lines, or for all that is left of a shipped order; `restock` puts the goods back",
    access: "admin",
    path,
    body: omit(refund, "refundId"),
    idempotent: true,
    params: ({ path, body, user, key }) => ({
      ...body,
      id: path.id,
      refundId: key === undefined ? newId() : idFrom(user.id, key),
    }),
    status: 201,
  }),
  route("POST /payments/webhook", "payments.notify", {
    priority: "critical",
    summary: "Webhook of the payment provider, signed by `Webhook-Signature`",
    access: "public",
    body: payments.actions.notify.params,
    signedBy: "webhook-signature",
    params: ({ body }) => body,
  }),
  eventStream("GET /orders/:id/stream", "orders.timeline", {
    summary: "Status changes of an order as server-sent events, until the last one; resumes by Last-Event-ID",
    path,
    actor: "order",
    last: ["order.shipped", "order.rejected", "order.cancelled"],
    params: ({ path }) => path,
    event: Change,
    data: ({ type, version, at, data }, { path }) => ({
      id: path.id,
      status: type.replace(/^order\./, "") as Change["status"],
      version,
      at,
      ...Object.fromEntries(Object.entries(data ?? {}).filter(([name]) => Object.hasOwn(told, name))),
    }),
  }),
];
