// The invariants of the shop: what must hold once it is at rest, whatever was killed, lost or repeated before. They are
// checked on the records alone: the logs of the services and the payment provider's own ledger.
import { setTimeout as sleep } from "node:timers/promises";
import type { Call, Recorded } from "@valence/runtime/contract";
import type { LogPage } from "@valence/runtime/stream";
import type { LedgerEntry } from "../../../services/payments/provider/provider.ts";

const PAGE = 1_000;

export interface Books {
  readonly orders: readonly Recorded[];
  readonly stock: readonly Recorded[];
  readonly payments: readonly Recorded[];
  readonly shipments: readonly Recorded[];
  readonly ledger: readonly LedgerEntry[];
  /** The answers of the stock actors, by SKU. */
  readonly levels: ReadonlyMap<string, { available: number; reserved: number }>;
  /** Sagas that have not ended, stuck ones included. */
  readonly openSagas: readonly { id: string; state: string; reason: string | null }[];
}

/** Reads the records of a running shop. */
export async function readBooks(call: Call, providerUrl: string): Promise<Books> {
  const [orders, stock, payments, shipments] = await Promise.all(
    ["orders", "inventory", "payments", "shipping"].map(service => readLog(call, service)),
  );
  const levels = new Map<string, { available: number; reserved: number }>();
  for (const sku of new Set(stock!.map(event => event.stream))) levels.set(sku, await call("inventory.level", { sku }));
  const { sagas } = await operate<{ sagas: Books["openSagas"] }>(call, "checkout.sagas", {
    state: "open",
    limit: PAGE,
  });
  return {
    orders: orders!,
    stock: stock!,
    payments: payments!,
    shipments: shipments!,
    ledger: await readLedger(providerUrl),
    levels,
    openSagas: sagas,
  };
}

/**
 * The broken invariants as sentences; a test expects none. `acknowledged`: ids of orders that a client was promised.
 */
export function brokenInvariants(books: Books, acknowledged: readonly string[] = []): string[] {
  const orders = ordersIn(books.orders);
  return [
    ...[books.orders, books.stock, books.payments, books.shipments].flatMap(holes),
    ...acknowledged.filter(id => !orders.has(id)).map(id => `order ${id} was acknowledged and is gone`),
    ...[...orders.values()]
      .filter(({ status }) => !ENDS.has(status))
      .map(({ id, status }) => `order ${id} is ${status}`),
    ...[...orders.values()].flatMap(({ id, refunds }) =>
      refunds.filter(({ open }) => open).map(refund => `refund ${refund.id} of order ${id} has not ended`),
    ),
    ...books.openSagas.map(({ id, state, reason }) => `saga ${id} is ${state}: ${reason}`),
    ...stockInvariants(books, orders),
    ...moneyInvariants(books, orders),
    ...shipmentInvariants(books, orders),
  ];
}

/** Waits until no invariant is broken, at most `withinMs`. Answers those that are broken by then. */
export async function invariantsBrokenAtRest(
  call: Call,
  providerUrl: string,
  { withinMs = 30_000, acknowledged = [] }: { withinMs?: number; acknowledged?: readonly string[] } = {},
): Promise<string[]> {
  for (const end = Date.now() + withinMs; ; await sleep(100)) {
    const broken = brokenInvariants(await readBooks(call, providerUrl), acknowledged);
    if (broken.length === 0 || Date.now() > end) return broken;
  }
}

// ---- the invariants

interface OrderRecord {
  readonly id: string;
  readonly status: string;
  readonly total: { readonly amount: number; readonly currency: string };
  readonly lines: readonly Item[];
  readonly refunds: readonly RefundRecord[];
}
interface Item {
  readonly sku: string;
  readonly quantity: number;
}
interface RefundRecord {
  readonly id: string;
  readonly amount: number;
  /** Units that went back into stock. */
  readonly items: readonly Item[];
  readonly open: boolean;
}
const ENDS = new Set(["shipped", "rejected", "cancelled"]);

function ordersIn(events: readonly Recorded[]): Map<string, OrderRecord> {
  const orders = new Map<string, OrderRecord>();
  for (const { type, stream, data } of events) {
    const placed = data as Pick<OrderRecord, "total" | "lines">;
    const before: OrderRecord = orders.get(stream) ?? { id: stream, status: "", refunds: [], ...placed };
    if (!type.startsWith("order.refund")) orders.set(stream, { ...before, status: type.slice("order.".length) });
    else orders.set(stream, { ...before, refunds: refundsAfter(before.refunds, type, data as Requested) });
  }
  return orders;
}

type Requested = { refundId: string; amount: { amount: number }; items: RefundRecord["items"] };
/** A refund that failed gives no money back. */
function refundsAfter(refunds: readonly RefundRecord[], type: string, data: Requested): readonly RefundRecord[] {
  const { refundId: id } = data;
  if (type === "order.refund_requested")
    return [...refunds, { id, amount: data.amount.amount, items: data.items, open: true }];
  return refunds.flatMap(refund =>
    refund.id !== id ? [refund] : type === "order.refund_failed" ? [] : [{ ...refund, open: false }],
  );
}

/** Versions of a stream are 1, 2, 3 … in the log. */
function holes(events: readonly Recorded[]): string[] {
  const versions = new Map<string, number>();
  const found: string[] = [];
  for (const { stream, version, eventId } of events) {
    const before = versions.get(stream) ?? 0;
    if (version !== before + 1) found.push(`${eventId} follows version ${before}`);
    versions.set(stream, version);
  }
  return found;
}

/**
 * For every SKU received + adjusted = available + sold, nothing is reserved, no count was below zero on the way, and
 * sold is what was shipped less what refunds brought back.
 */
function stockInvariants({ stock, levels }: Books, orders: ReadonlyMap<string, OrderRecord>): string[] {
  const broken: string[] = [];
  const books = new Map<string, { available: number; reserved: number; sold: number }>();
  for (const { eventId, type, stream: sku, data } of stock) {
    const { quantity } = data as { quantity: number };
    const { available, reserved, sold } = books.get(sku) ?? { available: 0, reserved: 0, sold: 0 };
    const now =
      type === "stock.received" || type === "stock.adjusted"
        ? { available: available + quantity, reserved, sold }
        : type === "stock.reserved"
          ? { available: available - quantity, reserved: reserved + quantity, sold }
          : type === "stock.released"
            ? { available: available + quantity, reserved: reserved - quantity, sold }
            : type === "stock.returned"
              ? { available: available + quantity, reserved, sold: sold - quantity }
              : { available, reserved: reserved - quantity, sold: sold + quantity };
    if (now.available < 0 || now.reserved < 0 || now.sold < 0)
      broken.push(`stock below zero at ${eventId}: ${JSON.stringify(now)}`);
    books.set(sku, now);
  }
  const shipped = new Map<string, number>();
  const count = (items: readonly Item[], sign: 1 | -1): void => {
    for (const { sku, quantity } of items) shipped.set(sku, (shipped.get(sku) ?? 0) + sign * quantity);
  };
  for (const { status, lines, refunds } of orders.values()) {
    if (status === "shipped") count(lines, 1);
    for (const { items } of refunds) count(items, -1);
  }
  for (const [sku, { available, reserved, sold }] of books) {
    if (reserved !== 0) broken.push(`${reserved} of ${sku} are reserved by no open order`);
    if (sold !== (shipped.get(sku) ?? 0)) broken.push(`${sold} of ${sku} sold, ${shipped.get(sku) ?? 0} shipped`);
    const level = levels.get(sku);
    if (level?.available !== available || level.reserved !== reserved)
      broken.push(
        `${sku}: the actor says ${JSON.stringify(level)}, the log ${available} available, ${reserved} reserved`,
      );
  }
  for (const sku of shipped.keys()) if (!books.has(sku)) broken.push(`${sku} was shipped and never received`);
  return broken;
}

/**
 * One capture for each shipped order, of its total; none for a total of zero. Refunds give back what the order says and
 * never more than was captured. Any other order neither costs nor holds money. The provider's ledger decides.
 */
function moneyInvariants({ payments, ledger }: Books, orders: ReadonlyMap<string, OrderRecord>): string[] {
  const broken: string[] = [];
  const entries = entriesByOrder(ledger);
  const captures = new Map<string, number>();
  const last = new Map<string, string>();
  for (const { type, stream } of payments) {
    last.set(stream, type);
    if (type === "payment.captured") captures.set(stream, (captures.get(stream) ?? 0) + 1);
  }
  for (const { id, status, total, refunds } of orders.values()) {
    const { authorized = 0, captured = 0, voided = 0, refunded = 0, currency } = entries.get(id) ?? {};
    const due = refunds.reduce((sum, { amount }) => sum + amount, 0);
    if (refunded > captured) broken.push(`order ${id}: ${refunded} given back of ${captured}`);
    if (status === "shipped" && refunded !== due) broken.push(`order ${id}: ${refunded} given back, ${due} were due`);
    if (status === "shipped" && total.amount === 0) {
      if (entries.has(id)) broken.push(`order ${id} of nothing was asked for at the provider`);
    } else if (status === "shipped") {
      if (captured !== total.amount || currency !== total.currency)
        broken.push(`order ${id} of ${total.amount} ${total.currency} was charged ${captured} ${currency}`);
      if (captures.get(id) !== 1) broken.push(`order ${id} has ${captures.get(id) ?? 0} captures on record`);
    } else if (captured !== refunded || authorized !== voided + captured)
      broken.push(`order ${id} is ${status}: ${captured - refunded} charged, ${authorized - voided - captured} held`);
  }
  for (const id of entries.keys()) if (!orders.has(id)) broken.push(`the provider knows ${id}, the shop does not`);
  const ends = ["captured", "declined", "voided", "refunded", "refund_failed"].map(end => `payment.${end}`);
  for (const [id, type] of last) if (!ends.includes(type)) broken.push(`payment ${id} rests at ${type}`);
  return broken;
}

/** A payment that was authorized anew has several keys at the provider: `<order>`, `<order>:2`. */
function entriesByOrder(ledger: readonly LedgerEntry[]): Map<string, LedgerEntry> {
  const entries = new Map<string, LedgerEntry>();
  for (const entry of ledger) {
    const key = entry.key.split(":")[0]!;
    const sum = entries.get(key);
    const add = (field: "authorized" | "captured" | "voided" | "declined" | "refunded"): number =>
      (sum?.[field] ?? 0) + entry[field];
    entries.set(key, {
      key,
      currency: entry.currency ?? sum?.currency ?? null,
      authorized: add("authorized"),
      captured: add("captured"),
      voided: add("voided"),
      declined: add("declined"),
      refunded: add("refunded"),
    });
  }
  return entries;
}

/** One shipment a shipped order, none of any other. */
function shipmentInvariants({ shipments }: Books, orders: ReadonlyMap<string, OrderRecord>): string[] {
  const left = new Set(shipments.filter(({ type }) => type === "shipment.dispatched").map(({ stream }) => stream));
  return [...orders.values()]
    .filter(({ id, status }) => left.has(id) !== (status === "shipped"))
    .map(({ id, status }) => `order ${id} is ${status}, its shipment ${left.has(id) ? "has" : "has not"} left`);
}

// ---- reading

async function readLog(call: Call, service: string): Promise<Recorded[]> {
  const events: Recorded[] = [];
  for (let cursor = ""; ;) {
    const page = await operate<LogPage>(call, `${service}.readLog`, { cursor, limit: PAGE });
    if (page.events.length === 0) return events;
    events.push(...page.events);
    ({ cursor } = page);
  }
}

async function readLedger(providerUrl: string): Promise<LedgerEntry[]> {
  const ledger: LedgerEntry[] = [];
  for (;;) {
    const after = ledger.at(-1)?.key ?? "";
    const response = await fetch(`${providerUrl}/ledger?after=${encodeURIComponent(after)}&limit=${PAGE}`);
    const { entries } = (await response.json()) as { entries: LedgerEntry[] };
    if (entries.length === 0) return ledger;
    ledger.push(...entries);
  }
}

/** Actions that the mixins add are in no contract. */
const operate = <R>(call: Call, action: string, params: object): Promise<R> =>
  (call as unknown as (action: string, params: object) => Promise<R>)(action, params);
