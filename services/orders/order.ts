// An order: what was bought at which price, and its state.
//
//   placed → stock_reserved → paid → confirmed → shipped     by the checkout saga's steps
//   placed, stock_reserved, paid → rejected                  no stock, or payment refused: the saga compensates
//   confirmed → cancelled                                    by an operator, whose saga takes the order back
//   shipped → (refund_requested → refunded or refund_failed)…  by an administrator: the refund saga
//   placed, stock_reserved, paid → cancelled                 by the customer: only marks the order. The saga's next step
//                                                            is refused ORDER_CANCELLED, and so it compensates
//
// A step that the order has taken already gives no events: an operator's retry has another command id.
import type { Refusal } from "@valence/runtime/kernel";
import { defineActor, type Decision, type PrepareContext, type StateOf } from "@valence/runtime/actor";
import { inCallersWords, type Data, type Refused } from "@valence/runtime/contract";
import { filledIn } from "../address.ts";
import { shopErrors } from "../errors.ts";
import { contract } from "./contract.ts";

const { event } = contract;
type State = StateOf<typeof contract>;
type Placing = Data<(typeof contract.commands)["place"]>;
type Line = State["lines"][number];
type Refuse = Decision<typeof contract>["refuse"];

export const limits = {
  /** Minor units. The bound of the money itself: what payments and the provider accept. */
  totalMax: 100_000_000_000,
  /** Pieces of one product, over all lines that name it: as many as the contract allows in one line. */
  quantityMax: 1_000,
  /** Refunds of one order: each is in the order's state. */
  refunds: 100,
} as const;

/**
 * The findings of `prepare` for `place`: the lines at the catalog's current prices, and the cart that they come from.
 */
export type Offer = { readonly lines: readonly Line[]; readonly cartVersion?: number };

const STEPS = ["placed", "stock_reserved", "paid", "confirmed", "shipped"] as const;
type Step = (typeof STEPS)[number];

export const Order = defineActor(contract)({
  initial: () => ({ lines: [] }),
  begins: ["place"],
  prepare: {
    // Taking the cart is the only effect, and a repetition of the command repeats it without change. It may be in vain:
    // the carts give lines back whose command did not place the order.
    place: async ({ id, commandId, call }, state, params): Promise<Offer> => {
      if (state.status !== undefined || !hasOneSource(params)) return { lines: [] };
      if (params.lines) return { lines: await priced(mergeByProduct(params.lines), params, call) };
      const { version, items } = await call("carts.take", { owner: params.customer, orderId: id, commandId });
      return { lines: await priced(items, params, call), cartVersion: version };
    },
  },
  decide: {
    place: (state, params, { now, refuse }, { lines, cartVersion }: Offer) => {
      if (state.status !== undefined) throw refuse("ORDER_EXISTS");
      if (!hasOneSource(params)) throw refuse("LINES_OR_CART", { field: "lines" });
      if (lines.length === 0) throw refuse("CART_EMPTY", { field: "fromCart" });
      const { customer, shippingAddress, payment, expectedTotal } = params;
      assertQuantities(lines, params, refuse);
      const total = totalOf(lines, params, refuse);
      if (expectedTotal && (total.currency !== expectedTotal.currency || total.amount > expectedTotal.amount))
        throw refuse("PRICE_CHANGED", {
          field: "expectedTotal",
          ...total,
          members: { total },
        });
      const fromCart = params.fromCart === true;
      return [
        event("order.placed", {
          customer,
          lines: [...lines],
          total,
          shippingAddress: filledIn(shippingAddress),
          payment,
          fromCart,
          ...(cartVersion !== undefined && { cartVersion }),
          placedAt: now,
        }),
      ];
    },
    markReserved: (state, _params, { refuse }) =>
      isDue(state, "stock_reserved", refuse) ? [event("order.stock_reserved", {})] : [],
    markPaid: (state, { paymentId }, { refuse }) =>
      isDue(state, "paid", refuse) ? [event("order.paid", { paymentId })] : [],
    confirm: (state, _params, { refuse }) => (isDue(state, "confirmed", refuse) ? [event("order.confirmed", {})] : []),
    markShipped: (state, { trackingId }, { refuse }) =>
      isDue(state, "shipped", refuse) ? [event("order.shipped", { trackingId })] : [],
    reject: (state, { reason }, { refuse }) => (canReject(state, refuse) ? [event("order.rejected", { reason })] : []),
    rejectFor: (state, { reason, outOfStock }, { refuse }) =>
      canReject(state, refuse)
        ? [event("order.rejected", { reason, ...(outOfStock.length > 0 && { outOfStock: [...outOfStock] }) })]
        : [],
    cancel: (state, { customer, reason = "cancelled by the customer" }, { refuse }) => {
      if (state.status === undefined || (customer !== undefined && customer !== state.customer))
        throw refuse("ORDER_NOT_FOUND");
      if (state.status === "cancelled") return [];
      if (state.status === "rejected") throw refuse("ORDER_REJECTED");
      assertUnconfirmed(state, refuse);
      return [event("order.cancelled", { reason })];
    },
    withdraw: ({ status }, _params, { refuse }) => {
      if (status === undefined) throw refuse("ORDER_NOT_FOUND");
      if (status === "cancelled" || status === "rejected") return [];
      if (status === "shipped") throw refuse("ORDER_CONFIRMED", { message: "this order has shipped: refund it" });
      return [event("order.cancelled", { reason: "taken back by the shop" })];
    },
    refund: (state, { refundId, lines: wanted, restock, reason }, { refuse }) => {
      const { status, total, refunds = [] } = state;
      if (status === undefined || total === undefined) throw refuse("ORDER_NOT_FOUND");
      if (status !== "shipped")
        throw refuse("ORDER_NOT_READY", { message: `an order that is ${status} is not refunded` });
      if (refunds.some(({ id }) => id === refundId)) throw refuse("REFUND_EXISTS", { field: "refundId" });
      if (refunds.length >= limits.refunds) throw refuse("TOO_MANY_REFUNDS");
      const lines = wanted ? mergeByProduct(wanted) : leftOf(state);
      const sold = lines.map(line => refundable(state, line, refuse));
      if (lines.length === 0) throw refuse("REFUND_TOO_LARGE", { message: "all of this order is refunded" });
      const amount = lines.reduce((sum, { quantity }, i) => sum + quantity * sold[i]!.unitPrice.amount, 0);
      const items = restock ? lines.map(({ quantity }, i) => ({ sku: sold[i]!.sku, quantity })) : [];
      return [
        event("order.refund_requested", {
          refundId,
          lines,
          amount: { ...total, amount },
          restock,
          items,
          ...(reason !== undefined && { reason }),
        }),
      ];
    },
    markRefunded: ({ refunds }, { refundId }, { refuse }) =>
      isOpenRefund(refunds, refundId, refuse) ? [event("order.refunded", { refundId })] : [],
    failRefund: ({ refunds }, { refundId, reason }, { refuse }) =>
      isOpenRefund(refunds, refundId, refuse) ? [event("order.refund_failed", { refundId, reason })] : [],
  },
  finished: ({ status, refunds = [] }) =>
    (status === "shipped" && !refunds.some(refund => refund.status === "requested")) ||
    status === "rejected" ||
    status === "cancelled",
  evolve: {
    "order.placed": (_state, { customer, lines, total, shippingAddress, placedAt }) => ({
      status: "placed",
      customer,
      lines,
      total,
      shippingAddress,
      placedAt,
    }),
    "order.stock_reserved": state => ({ ...state, status: "stock_reserved" }),
    "order.paid": state => ({ ...state, status: "paid" }),
    "order.confirmed": state => ({ ...state, status: "confirmed" }),
    "order.shipped": (state, { trackingId }) => ({ ...state, status: "shipped", trackingId }),
    "order.rejected": (state, { reason, outOfStock }) => ({
      ...state,
      status: "rejected",
      reason,
      ...(outOfStock && { outOfStock }),
    }),
    "order.cancelled": (state, { reason }) => ({ ...state, status: "cancelled", reason }),
    "order.refund_requested": (state, { refundId, lines, amount, restock }) => ({
      ...state,
      refunds: [...(state.refunds ?? []), { id: refundId, lines, amount, restock, status: "requested" }],
    }),
    "order.refunded": (state, { refundId }) => withRefund(state, refundId, "refunded"),
    "order.refund_failed": (state, { refundId }) => withRefund(state, refundId, "failed"),
  },
  reply: {
    place: ({ status, total, lines, placedAt }) => ({
      status: status!,
      total: total!,
      lines: [...lines],
      placedAt: placedAt!,
    }),
    cancel: ({ status }) => ({ status: status! }),
    refund: ({ refunds }) => ({ refundId: refunds!.at(-1)!.id, amount: refunds!.at(-1)!.amount }),
  },
});

/**
 * Whether the order still has to take this step. Refuses when it cannot: the order has ended, or an earlier step is
 * missing.
 */
function isDue({ status }: State, step: Exclude<Step, "placed">, refuse: Refuse): boolean {
  if (status === undefined) throw refuse("ORDER_NOT_FOUND");
  if (status === "cancelled") throw refuse("ORDER_CANCELLED");
  if (status === "rejected") throw refuse("ORDER_REJECTED");
  const missing = STEPS.indexOf(step) - STEPS.indexOf(status);
  if (missing > 1) throw refuse("ORDER_NOT_READY", { status, step });
  return missing === 1;
}

/** Whether the order still has to end. */
function canReject(state: State, refuse: Refuse): boolean {
  if (state.status === undefined) throw refuse("ORDER_NOT_FOUND");
  if (state.status === "cancelled" || state.status === "rejected") return false;
  assertUnconfirmed(state, refuse);
  return true;
}

function assertUnconfirmed({ status }: State, refuse: Refuse): void {
  if (status === "confirmed" || status === "shipped") throw refuse("ORDER_CONFIRMED");
}

type Refund = NonNullable<State["refunds"]>[number];

/** Refunded pieces of a product, without failed refunds. */
const refundedPieces = ({ refunds = [] }: State, productId: string): number =>
  refunds
    .filter(({ status }) => status !== "failed")
    .flatMap(({ lines }) => lines)
    .reduce((sum, line) => (line.productId === productId ? sum + line.quantity : sum), 0);

const leftOf = (state: State): Wanted[] =>
  state.lines
    .map(({ productId, quantity }) => ({ productId, quantity: quantity - refundedPieces(state, productId) }))
    .filter(({ quantity }) => quantity > 0);

/** The line as it was sold. Refuses when the order has no such line, or fewer pieces of it are left to refund. */
function refundable(state: State, { productId, quantity }: Wanted, refuse: Refuse): Line {
  const line = state.lines.find(sold => sold.productId === productId);
  if (!line) throw refuse("LINE_NOT_FOUND", { field: "lines", productId });
  const left = line.quantity - refundedPieces(state, productId);
  if (quantity > left)
    throw refuse("REFUND_TOO_LARGE", { field: "lines", message: `${left} of ${productId} can still be refunded` });
  return line;
}

function isOpenRefund(refunds: readonly Refund[] = [], refundId: string, refuse: Refuse): boolean {
  const refund = refunds.find(({ id }) => id === refundId);
  if (!refund) throw refuse("REFUND_NOT_FOUND");
  return refund.status === "requested";
}

const withRefund = (state: State, refundId: string, status: Refund["status"]): State => ({
  ...state,
  refunds: (state.refunds ?? []).map(refund => (refund.id === refundId ? { ...refund, status } : refund)),
});

const hasOneSource = ({ lines, fromCart = false }: Pick<Placing, "fromCart"> & { lines?: unknown }): boolean =>
  (lines !== undefined) !== fromCart;

/** The lines or the cart that the order is placed from, in the client's words. */
interface Asked {
  readonly lines?: readonly Wanted[] | undefined;
}
/** Where the client has named a product: in its lines, several of which may be one of ours, or in the cart. */
function fieldsOf(productId: string, item: number, { lines }: Asked): string[] {
  if (lines === undefined) return [`items.${item}`];
  return lines.flatMap((line, index) => (line.productId === productId ? [`lines.${index}`] : []));
}

function assertQuantities(lines: readonly Line[], asked: Asked, refuse: Refuse): void {
  const errors = lines.flatMap(({ productId, quantity }, item) =>
    quantity <= limits.quantityMax
      ? []
      : fieldsOf(productId, item, asked).map(field => ({
          field: `${field}.quantity`,
          message: `these are ${quantity} of one product, ${limits.quantityMax} is the most`,
        })),
  );
  if (errors.length > 0) throw refuse("QUANTITY_TOO_LARGE", { message: errors[0]!.message, errors });
}

function totalOf(lines: readonly Line[], asked: Asked, refuse: Refuse): Line["unitPrice"] {
  const { currency } = lines[0]!.unitPrice;
  const others = lines.flatMap(({ productId, unitPrice }, item) =>
    unitPrice.currency === currency
      ? []
      : fieldsOf(productId, item, asked).map(field => ({
          field,
          message: `an order has one currency, this one has ${currency} and ${unitPrice.currency}`,
        })),
  );
  if (others.length > 0) throw refuse("MIXED_CURRENCIES", { message: others[0]!.message, errors: others });
  const amount = lines.reduce((sum, { quantity, unitPrice }) => sum + quantity * unitPrice.amount, 0);
  if (amount > limits.totalMax)
    throw refuse("TOTAL_TOO_LARGE", { field: asked.lines === undefined ? "fromCart" : "lines" });
  return { amount, currency };
}

type Wanted = { readonly productId: string; readonly quantity: number };

function mergeByProduct(wanted: readonly Wanted[]): Wanted[] {
  const merged = new Map<string, number>();
  for (const { productId, quantity } of wanted) merged.set(productId, (merged.get(productId) ?? 0) + quantity);
  return [...merged].map(([productId, quantity]) => ({ productId, quantity }));
}

async function priced(wanted: readonly Wanted[], asked: Asked, call: PrepareContext["call"]): Promise<Line[]> {
  if (wanted.length === 0) return [];
  const ids = wanted.map(line => line.productId);
  const { products } = await inCallersWords(call("catalog.quote", { ids }), {
    PRODUCT_NOT_FOUND: refused => inClientsFields(refused, ids, asked),
  });
  const byId = new Map(products.map(product => [product.id, product]));
  return wanted.map(({ productId, quantity }) => {
    const { sku, name, price } = byId.get(productId)!;
    return { productId, sku, name, quantity, unitPrice: price };
  });
}

/** The catalog names its own fields (`ids.2`); the client wrote `lines.5.productId`. All missing products are named. */
function inClientsFields({ errors: found = [] }: Refused, ids: readonly string[], asked: Asked): Refusal {
  const items = found.map(({ field }) => Number(/^ids\.(\d+)$/.exec(field)?.[1] ?? 0));
  const missing = items.map(item => ids[item]!);
  const errors = items.flatMap(item =>
    fieldsOf(ids[item]!, item, asked).map(field => ({
      field: `${field}.productId`,
      message: `there is no product ${ids[item]}`,
    })),
  );
  return shopErrors.PRODUCT_NOT_FOUND({ inBody: true, message: errors[0]!.message, errors, members: { missing } });
}
