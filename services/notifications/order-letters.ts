// The letters about orders, plain and as HTML. Pure.
import { letter, type MailText } from "@valence/runtime/mail";
import type { ResultOf } from "@valence/runtime/contract";
import type { Mailed } from "./contract.ts";

/** The order as its service has it when the letter is written: it may have gone on since the event. */
export type Order = ResultOf<"orders.get">["state"];
export interface Told {
  readonly orderId: string;
  readonly order: Order;
  /** The address of the shop as people know it: `shop.example.com`. */
  readonly site: string | undefined;
  /**
   * The name of the customer. Undefined where the mailbox may be somebody else's: then the letter has no words that a person
   * could have written to advertise.
   */
  readonly name: string | undefined;
}

export function orderLetter(kind: Mailed, { orderId, order, site, name }: Told): MailText {
  const yours = site === undefined ? "your order" : `your order at ${site}`;
  const write = (becomes: string, text: string, rows: readonly Row[]): MailText =>
    letter(
      `Your order ${orderId} ${becomes}`,
      [text, { rows: [["Order", orderId], ...rows] }],
      name === undefined ? "Hello," : `Hello ${name},`,
    );
  switch (kind) {
    case "order.placed":
      return write(
        "is placed",
        `Thank you for ${yours}. You get another mail when it leaves, or if we cannot deliver it.`,
        [...order.lines.map(lineOf), ...(order.total ? [["Total", moneyText(order.total)] as const] : [])],
      );
    case "order.shipped":
      return write("is on its way", `We have sent ${yours}.`, told("Tracking number", order.trackingId));
    case "order.rejected":
      return write(
        "cannot be delivered",
        `We are sorry: we cannot deliver ${yours}. ${whyOf(order)}You have paid nothing for it.`,
        missingOf(order).map(line => ["Out of stock", line] as const),
      );
    case "order.cancelled":
      return write(
        "is cancelled",
        `We have cancelled ${yours}. What you have paid for it comes back to you.`,
        name === undefined ? [] : told("Reason", order.reason),
      );
  }
}

type Row = readonly [label: string, text: string];

const told = (label: string, text: string | undefined): Row[] => (text === undefined ? [] : [[label, text]]);

const lineOf = ({ quantity, name, unitPrice }: Order["lines"][number]): Row => [
  `${quantity} × ${name}`,
  moneyText({ ...unitPrice, amount: unitPrice.amount * quantity }),
];

/** The saga rejects with the type of the refusal that it got. */
const whyOf = ({ reason = "" }: Order): string =>
  reason.startsWith("PAYMENT_") ? "Your payment was not accepted. " : "";

/** Names of what was out of stock. */
const missingOf = ({ lines, outOfStock = [] }: Order): string[] =>
  lines.filter(({ sku }) => outOfStock.includes(sku)).map(({ name }) => name);

/** `€12.50`, for people. The currency says how many digits its minor unit has. */
export function moneyText({ amount, currency }: { readonly amount: number; readonly currency: string }): string {
  const format = new Intl.NumberFormat("en", { style: "currency", currency });
  return format.format(amount / 10 ** format.resolvedOptions().maximumFractionDigits!);
}
