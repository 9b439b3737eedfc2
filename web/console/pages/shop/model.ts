// What operators see and change of the shop itself.
import type { Tone } from "../../../kit/tone.ts";

export const TABS = ["orders", "sales", "stock"] as const;
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
