// An order as its customer reads it.
import type { Tone } from "../../../kit/tone.ts";

export type Status = "placed" | "stock_reserved" | "paid" | "confirmed" | "shipped" | "rejected" | "cancelled";
export interface Ordered {
  readonly status: Status;
  readonly reason?: string | undefined;
  readonly outOfStock?: readonly string[] | undefined;
  readonly trackingId?: string | undefined;
  readonly lines: readonly { readonly sku: string; readonly name: string }[];
}

const WORDS: Readonly<Record<Status, readonly [word: string, tone: Tone]>> = {
  placed: ["Placed", "busy"],
  stock_reserved: ["Set aside", "busy"],
  paid: ["Paid", "busy"],
  confirmed: ["Confirmed", "good"],
  shipped: ["Shipped", "good"],
  rejected: ["Not possible", "bad"],
  cancelled: ["Cancelled", "idle"],
};
/** A status of a later release is shown by its own name. */
export const wordOf = (status: string): readonly [word: string, tone: Tone] =>
  WORDS[status as Status] ?? [status.replaceAll("_", " "), "idle"];

export const isOver = (status: Status): boolean => ["shipped", "rejected", "cancelled"].includes(status);
export const canCancel = (status: Status): boolean => ["placed", "stock_reserved", "paid"].includes(status);

const WAY = [
  ["placed", "Placed", "We have your order."],
  ["stock_reserved", "Set aside", "Your things are set aside for you."],
  ["paid", "Paid", "Your card has agreed."],
  ["confirmed", "Confirmed", "It is yours; we are packing it."],
  ["shipped", "Shipped", "It is on its way."],
] as const;
export interface Step {
  readonly word: string;
  readonly says: string;
  readonly state: "done" | "now" | "next";
}
/** The steps of an order that goes well; empty for one that has ended otherwise. */
export function stepsOf(status: Status): readonly Step[] {
  const at = WAY.findIndex(([step]) => step === status);
  if (at < 0) return [];
  const isLast = at === WAY.length - 1;
  return WAY.map(([, word, says], n) => ({
    word,
    says,
    state: n < at || isLast ? "done" : n === at ? "now" : "next",
  }));
}

interface Says {
  readonly title: string;
  readonly text: string;
}
/** What has become of it, in a sentence and one more. */
export function saysOf({ status, reason, outOfStock = [], trackingId, lines }: Ordered): Says {
  if (status === "shipped")
    return {
      title: "Your order is on its way",
      text:
        trackingId === undefined
          ? "It has left our house."
          : "It has left our house. Follow it by its tracking number.",
    };
  if (status === "confirmed") return { title: "Thank you, your order is confirmed", text: "We are packing it." };
  if (status === "cancelled")
    return { title: "This order is cancelled", text: "Nothing is charged. What was set aside is back on the shelf." };
  if (status !== "rejected")
    return {
      title: "Thank you, we have your order",
      text: "We are setting it aside and asking your card. This page follows it.",
    };
  if (reason === "OUT_OF_STOCK" || reason === "STOCK_NOT_FOUND") {
    const names = outOfStock.map(sku => lines.find(line => line.sku === sku)?.name ?? sku);
    const what = names.length > 0 ? new Intl.ListFormat("en").format(names) : "Something in it";
    return {
      title: "Somebody was faster",
      text: `${what} ${names.length > 1 ? "are" : "is"} sold out, or there are fewer than you wanted. Nothing was charged, and your cart is as it was.`,
    };
  }
  if (reason === "PAYMENT_DECLINED")
    return {
      title: "Your card was declined",
      text: "Nothing was charged, and your cart is as it was. Try it with another card.",
    };
  if (reason === "PAYMENT_EXPIRED")
    return {
      title: "Your bank did not hear from you in time",
      text: "Nothing was charged, and your cart is as it was. Order again when you can agree to the payment.",
    };
  return {
    title: "This order could not be completed",
    text: "Nothing was charged, and your cart is as it was. Try it again.",
  };
}

/** The way on from a rejected order: where, and in which words. */
export const wayOnFrom = ({ reason }: Pick<Ordered, "reason">): readonly [href: string, label: string] =>
  reason?.startsWith("PAYMENT") ? ["/checkout", "Try another card"] : ["/cart", "To the cart"];
