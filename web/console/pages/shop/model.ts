// What operators see and change of the shop itself.
import type { Tone } from "../../../kit/tone.ts";

export const TABS = ["orders", "sales", "products", "stock"] as const;
export type Tab = (typeof TABS)[number];
export const tabOf = (text: string | undefined): Tab => TABS.find(tab => tab === text) ?? "orders";

export const STATUSES = ["placed", "stock_reserved", "paid", "confirmed", "shipped", "rejected", "cancelled"] as const;
export type OrderStatus = (typeof STATUSES)[number];

const TONES: Readonly<Record<OrderStatus, Tone>> = {
  placed: "busy",
  stock_reserved: "busy",
  paid: "busy",
  confirmed: "busy",
  shipped: "good",
  rejected: "warn",
  cancelled: "idle",
};
export const toneOf = (status: string): Tone => TONES[status as OrderStatus] ?? "idle";
/** `stock_reserved` as a person says it. */
export const wordOf = (status: string): string => status.replaceAll("_", " ");

/** Once it is confirmed, an order is refunded and no longer cancelled. */
export const canCancel = (status: string): boolean => ["placed", "stock_reserved", "paid"].includes(status);

/** The whole number that was typed; undefined for anything else. `-3` corrects down. */
export function quantityOf(text: string, { min }: { readonly min?: number } = {}): number | undefined {
  if (!/^[+-]?\d{1,7}$/.test(text.trim())) return undefined;
  const quantity = Number(text);
  return quantity === 0 || (min !== undefined && quantity < min) ? undefined : quantity;
}

/** Digits behind the point that a currency has. */
export const digitsOf = (currency: string): number =>
  new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits ?? 2;

/** An amount in minor units as a person types it: `12.50`. */
export const textOfAmount = (amount: number, digits: number): string => (amount / 10 ** digits).toFixed(digits);

/** The amount in minor units that was typed, with a point or a comma; undefined for anything else. */
export function amountOf(text: string, digits: number): number | undefined {
  const [, whole, behind = ""] = /^(\d{1,9})(?:[.,](\d*))?$/.exec(text.trim()) ?? [];
  if (whole === undefined || behind.length > digits) return undefined;
  return Number(whole + behind.padEnd(digits, "0"));
}
