import Type from "typebox";
import { Cursor, EntityId, PersonLines, ReadToken, strictObject } from "@valence/runtime/contract";
import { idFrom, newId } from "@valence/runtime/kernel";
import { PostalAddress } from "../../address.ts";
import { Money } from "../../money.ts";
import { API, eventStream, route } from "@valence/runtime/gateway";

const path = { id: EntityId };
/** What a client orders: never a price. */
const RequestedLine = strictObject({
  productId: Type.String({ format: "uuid" }),
  quantity: Type.Integer({ minimum: 1, maximum: 1_000 }),
});

export const orders = [
  route("POST /orders", "orders.place", {
    summary: "Place an order, of lines or of the cart; prices come from the catalog",
    body: {
      lines: Type.Optional(Type.Array(RequestedLine, { minItems: 1, maxItems: 100 })),
      fromCart: Type.Optional(Type.Boolean()),
      expectedTotal: Type.Optional(Money),
      shippingAddress: PostalAddress,
      payment: strictObject({
        method: Type.Enum(["card"]),
        token: Type.String({ minLength: 1, maxLength: 200, pattern: "^[A-Za-z0-9_-]+$", format: "no-card-number" }),
      }),
    },
    idempotent: true,
    // The same user and key name the same order, on any gateway and after any loss of cache: the actor itself then
    // answers a repeat from its record, whatever cart and prices have become.
    params: ({ body, user, key }) => ({
      ...body,
      id: key === undefined ? newId() : idFrom(user.id, key),
      customer: user.id,
    }),
    status: 201,
    location: order => `${API}/orders/${order.id}`,
  }),
  route("GET /orders", "order-views.list", {
    summary: "Own orders, newest first",
    query: {
      page: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
      pageSize: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
      cursor: Type.Optional(Cursor),
      after: Type.Optional(ReadToken),
    },
    params: ({ query, user }) => ({ ...query, customer: user.id }),
  }),
  route("GET /orders/:id", "orders.view", {
    summary: "An own order; an administrator sees all",
    path,
    params: ({ path }) => path,
  }),
  route("GET /orders/:id/history", "orders.timeline", {
    summary: "What happened to an order",
    path,
    query: { from: Type.Optional(Type.Integer({ minimum: 1 })) },
    params: ({ path, query }) => ({ ...query, id: path.id }),
  }),
  route("POST /orders/:id/cancel", "orders.cancel", {
    summary: "Cancel an order that is not confirmed yet",
    path,
    body: { reason: Type.Optional(PersonLines({ maxLength: 500, blank: true })) },
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
    body: {
      lines: Type.Optional(Type.Array(RequestedLine, { minItems: 1, maxItems: 100 })),
      restock: Type.Boolean(),
      reason: Type.Optional(PersonLines({ maxLength: 500, blank: true })),
    },
    idempotent: true,
    params: ({ path, body, user, key }) => ({
      ...body,
      id: path.id,
      refundId: key === undefined ? newId() : idFrom(user.id, key),
    }),
    status: 201,
  }),
  route("POST /payments/webhook", "payments.notify", {
    summary: "What the payment provider tells by itself, signed by `Webhook-Signature`",
    access: "public",
    body: { body: Type.String({ maxLength: 20_000 }), signature: Type.String({ maxLength: 200 }) },
    signedBy: "webhook-signature",
    params: ({ body }) => body,
  }),
  eventStream("GET /orders/:id/stream", "orders.timeline", {
    summary: "Status changes of an order as server-sent events, until its last; resumes by Last-Event-ID",
    path,
    actor: "order",
    last: ["order.shipped", "order.rejected", "order.cancelled"],
    params: ({ path }) => path,
    data: ({ type, version, at, data }, { path }) => {
      const { reason, outOfStock, trackingId } = (data ?? {}) as Record<string, unknown>;
      return { id: path.id, status: type.replace(/^order\./, ""), version, at, reason, outOfStock, trackingId };
    },
  }),
];
