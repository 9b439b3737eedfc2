import Type from "typebox";
import { Cursor, defineContract, EntityId, TextLines } from "@valence/runtime/contract";
import { Address, PostalAddress } from "../address.ts";
import { NO_CARD_NUMBER } from "../card-number.ts";
import { shopErrors } from "../errors.ts";
import { Money } from "../money.ts";
import { orderErrors } from "./errors.ts";
import "../roles.ts";

const uuid = Type.String({ format: "uuid" });
/** A card's number in place of the token is refused, and so never stored. */
export const NewPayment = Type.Object(
  {
    method: Type.Enum(["card"]),
    token: Type.String({
      minLength: 1,
      maxLength: 200,
      pattern: "^[A-Za-z0-9_-]+$",
      format: NO_CARD_NUMBER,
      writeOnly: true,
    }),
  },
  { additionalProperties: false, title: "NewPayment" },
);
const text = (maxLength: number) => Type.String({ minLength: 1, maxLength });

export const Payment = Type.Object(
  {
    method: Type.Enum(["card"]),
    token: Type.String({ minLength: 1, maxLength: 200, pattern: "^[A-Za-z0-9_-]+$", writeOnly: true }),
  },
  { additionalProperties: false },
);
/** Product and quantity as a client asks for them, never with a price. */
export const RequestedLine = Type.Object(
  { productId: uuid, quantity: Type.Integer({ minimum: 1, maximum: 1_000 }) },
  { additionalProperties: false, title: "RequestedLine" },
);
/** A line as it was sold: the catalog's price at that moment. */
export const Line = Type.Object(
  { productId: uuid, sku: text(64), name: text(200), quantity: Type.Integer({ minimum: 1 }), unitPrice: Money },
  { additionalProperties: false, title: "OrderLine" },
);
export const Status = Type.Enum(["placed", "stock_reserved", "paid", "confirmed", "shipped", "rejected", "cancelled"]);
const reason = Type.String({ maxLength: 500 });
/** SKUs with fewer pieces in stock than were ordered; in a rejected order. */
const outOfStock = Type.Array(Type.String({ maxLength: 64 }), { maxItems: 100 });
const refundId = text(64);
const RefundLine = Type.Object(
  { productId: uuid, quantity: Type.Integer({ minimum: 1 }) },
  { additionalProperties: false, title: "RefundLine" },
);
const refund = {
  lines: Type.Array(RefundLine),
  amount: Money,
  /** Whether the goods go back into stock. */
  restock: Type.Boolean(),
};
const Refund = Type.Object(
  { id: refundId, ...refund, status: Type.Enum(["requested", "refunded", "failed"]) },
  { title: "Refund" },
);

/** An order as its customer sees it. */
export const Order = Type.Object(
  {
    id: Type.String(),
    version: Type.Integer(),
    status: Status,
    customer: Type.String(),
    lines: Type.Array(Line),
    total: Money,
    shippingAddress: Address,
    reason: Type.Optional(Type.String()),
    outOfStock: Type.Optional(outOfStock),
    trackingId: Type.Optional(Type.String()),
    placedAt: Type.String(),
    refunds: Type.Optional(Type.Array(Refund)),
  },
  { title: "Order" },
);

export const contract = defineContract({
  service: "orders",
  actor: "order",
  // Without the payment: the token is in `order.placed`, for the saga alone, and never in a state or snapshot.
  state: {
    status: Type.Optional(Status),
    customer: Type.Optional(uuid),
    lines: Type.Array(Line),
    total: Type.Optional(Money),
    shippingAddress: Type.Optional(Address),
    reason: Type.Optional(reason),
    outOfStock: Type.Optional(outOfStock),
    trackingId: Type.Optional(Type.String()),
    placedAt: Type.Optional(Type.String()),
    refunds: Type.Optional(Type.Array(Refund)),
  },
  commands: {
    /** Either `lines` or `fromCart`. Prices come from the catalog while the order prepares. */
    place: {
      customer: uuid,
      lines: Type.Optional(Type.Array(RequestedLine, { minItems: 1, maxItems: 100 })),
      fromCart: Type.Optional(Type.Boolean()),
      /** The total that the customer has seen. A higher one, or another currency, is refused (`PRICE_CHANGED`). */
      expectedTotal: Type.Optional(Money),
      shippingAddress: PostalAddress,
      payment: NewPayment,
    },
    markReserved: {},
    markPaid: { paymentId: Type.String() },
    confirm: {},
    markShipped: { trackingId: Type.String({ minLength: 1, maxLength: 100 }) },
    /** Sagas of the previous release send it. */
    reject: { reason },
    /** A separate command: nodes of the previous release refuse params of `reject` that they do not know. */
    rejectFor: { reason, outOfStock },
    cancel: { customer: Type.Optional(uuid), reason: Type.Optional(TextLines({ maxLength: 500, blank: true })) },
    /** An operator takes a confirmed order back, through its saga. */
    withdraw: {},
    /** Gives money back for lines, or for all that is left of the order; once for each `refundId`. */
    refund: {
      refundId,
      lines: Type.Optional(Type.Array(RequestedLine, { minItems: 1, maxItems: 100 })),
      restock: Type.Boolean(),
      reason: Type.Optional(TextLines({ maxLength: 500, blank: true })),
    },
    markRefunded: { refundId },
    failRefund: { refundId, reason },
  },
  replies: {
    place: { status: Status, total: Money, lines: Type.Array(Line), placedAt: Type.String() },
    cancel: { status: Status },
    refund: { refundId, amount: Money },
  },
  events: {
    "order.placed": {
      customer: uuid,
      lines: Type.Array(Line),
      total: Money,
      shippingAddress: Address,
      payment: Payment,
      fromCart: Type.Boolean(),
      /**
       * Version of the cart that the order took. Absent without a cart, and in orders of releases that only read the
       * cart.
       */
      cartVersion: Type.Optional(Type.Integer({ minimum: 0 })),
      placedAt: Type.String(),
    },
    "order.stock_reserved": {},
    "order.paid": { paymentId: Type.String() },
    "order.confirmed": {},
    "order.shipped": { trackingId: Type.String() },
    "order.rejected": { reason, outOfStock: Type.Optional(outOfStock) },
    "order.cancelled": { reason },
    "order.refund_requested": {
      refundId,
      ...refund,
      /** Pieces that go back into stock. */
      items: Type.Array(
        Type.Object({ sku: text(64), quantity: Type.Integer({ minimum: 1 }) }, { additionalProperties: false }),
      ),
      reason: Type.Optional(reason),
    },
    "order.refunded": { refundId },
    "order.refund_failed": { refundId, reason },
  },
  actions: {
    /** The order, if it is the asking user's own or the user is an admin; otherwise it does not exist. */
    view: { params: { id: EntityId }, returns: Order },
    /** Its events, with the same rule. */
    timeline: {
      params: {
        id: EntityId,
        from: Type.Optional(Type.Integer({ minimum: 1 })),
        cursor: Type.Optional(Cursor),
        pageSize: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
      },
      returns: Type.Object({
        id: Type.String(),
        events: Type.Array(
          Type.Object(
            { type: Type.String(), version: Type.Integer(), at: Type.String(), data: Type.Unknown() },
            { title: "OrderEvent" },
          ),
        ),
        /** Where the next page begins; absent on the last. */
        nextCursor: Type.Optional(Type.String()),
      }),
    },
  },
  refusals: { ...orderErrors, ...shopErrors },
  mayRefuse: {
    place: [
      "ORDER_EXISTS",
      "LINES_OR_CART",
      "CART_EMPTY",
      "PRODUCT_NOT_FOUND",
      "QUANTITY_TOO_LARGE",
      "MIXED_CURRENCIES",
      "TOTAL_TOO_LARGE",
      "PRICE_CHANGED",
    ],
    markReserved: ["ORDER_NOT_FOUND", "ORDER_CANCELLED", "ORDER_REJECTED", "ORDER_NOT_READY"],
    markPaid: ["ORDER_NOT_FOUND", "ORDER_CANCELLED", "ORDER_REJECTED", "ORDER_NOT_READY"],
    confirm: ["ORDER_NOT_FOUND", "ORDER_CANCELLED", "ORDER_REJECTED", "ORDER_NOT_READY"],
    markShipped: ["ORDER_NOT_FOUND", "ORDER_CANCELLED", "ORDER_REJECTED", "ORDER_NOT_READY"],
    reject: ["ORDER_NOT_FOUND", "ORDER_CONFIRMED"],
    rejectFor: ["ORDER_NOT_FOUND", "ORDER_CONFIRMED"],
    cancel: ["ORDER_NOT_FOUND", "ORDER_REJECTED", "ORDER_CONFIRMED"],
    withdraw: ["ORDER_NOT_FOUND", "ORDER_CONFIRMED"],
    refund: [
      "ORDER_NOT_FOUND",
      "ORDER_NOT_READY",
      "LINE_NOT_FOUND",
      "REFUND_EXISTS",
      "REFUND_TOO_LARGE",
      "TOO_MANY_REFUNDS",
    ],
    markRefunded: ["REFUND_NOT_FOUND"],
    failRefund: ["REFUND_NOT_FOUND"],
    view: ["ORDER_NOT_FOUND"],
    timeline: ["ORDER_NOT_FOUND"],
  },
  // No person may call the saga's steps.
  permissions: {
    view: "orders:read",
    timeline: "orders:read",
    place: "orders:write",
    cancel: "orders:write",
    markReserved: false,
    markPaid: false,
    confirm: false,
    markShipped: false,
    reject: false,
    rejectFor: false,
    withdraw: false,
    refund: "orders:refund",
    markRefunded: false,
    failRefund: false,
  },
  callers: {
    checkout: ["markReserved", "markPaid", "confirm", "withdraw", "rejectFor", "markRefunded", "failRefund"],
    shipping: ["markShipped"],
    carts: ["get", "history", "abandon"],
    notifications: ["get"],
    integrations: ["stateAt"],
  },
});
declare global {
  interface Contracts {
    orders: typeof contract;
  }
}
