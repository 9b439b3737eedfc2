// The order that a form makes, what is wrong with it before it is sent, and what a person reads when it is refused.
import type { Placed } from "../../draft.ts";
import { WITHOUT_POSTAL_CODES } from "./countries.ts";

export type Fields = Readonly<Record<string, string>>;
export type Faults = Readonly<Record<string, string>>;
export type Money = NonNullable<Placed["expectedTotal"]>;

/** Cards of the bundled payment provider: no money moves. The first is chosen unless one chooses. */
export const CARDS = [
  ["tok_ok", "Card that pays", "is accepted at once"],
  ["tok_slow", "Card of a slow bank", "is accepted after some seconds"],
  ["tok_pending", "Card that asks its owner", "is accepted when they have agreed, after some seconds"],
  ["tok_flaky", "Card on a bad line", "is accepted; answers of the bank get lost on the way"],
  ["tok_declined", "Card that is declined", "is refused; nothing is charged"],
] as const satisfies readonly (readonly [token: string, name: string, does: string])[];

/** What is asked, in the order of the form; `required` says what to type. */
const LINES = [
  ["name", "Type the name of who gets it."],
  ["line1", "Type street and number."],
  ["line2", undefined],
  ["city", "Type the town or city."],
  ["postalCode", undefined],
  ["country", "Choose a country."],
] as const satisfies readonly (readonly [field: string, required: string | undefined])[];

/** Whether addresses of this country have a postal code. */
export const asksPostalCode = (country: string | undefined): boolean => !WITHOUT_POSTAL_CODES.includes(country ?? "");

/** By field; empty where nothing is wrong. */
export function faultsIn(fields: Fields): Faults {
  const faults: Record<string, string> = {};
  for (const [field, required] of LINES) if (required !== undefined && !fields[field]?.trim()) faults[field] = required;
  if (asksPostalCode(fields["country"]) && !fields["postalCode"]?.trim())
    faults["postalCode"] = "Type the postal code.";
  return faults;
}

/** The order as it is sent: from the account's cart, with the total that was shown. */
export function orderOf(fields: Fields, expectedTotal: Money): Placed {
  const { name = "", line1 = "", line2 = "", city = "", postalCode = "", country = "" } = fields;
  const optional = { line2: line2.trim(), postalCode: postalCode.trim() };
  return {
    fromCart: true,
    expectedTotal,
    shippingAddress: {
      name: name.trim(),
      line1: line1.trim(),
      city: city.trim(),
      country,
      ...(optional.line2 !== "" && { line2: optional.line2 }),
      ...(optional.postalCode !== "" && { postalCode: optional.postalCode }),
    },
    payment: { method: "card", token: fields["card"] || CARDS[0][0] },
  };
}

interface Refused {
  readonly code: string;
  readonly status: number;
  readonly outcome: "none" | "unknown";
  readonly message: string;
  readonly errors: readonly { readonly field: string; readonly message: string }[];
  readonly problem: Readonly<Record<string, unknown>>;
  readonly requestId: string | undefined;
}
/** What becomes of an attempt whose order was not answered with an order. */
export type Outcome =
  /** Nobody knows whether it was placed: only the same key may be sent again. */
  | { readonly kind: "unknown"; readonly requestId: string | undefined }
  /** As unknown, and the person has to sign in before it can be asked. */
  | { readonly kind: "session" }
  | { readonly kind: "price"; readonly total: Money }
  | { readonly kind: "fields"; readonly faults: Faults }
  | { readonly kind: "cart"; readonly message: string }
  | { readonly kind: "refused"; readonly message: string; readonly requestId: string | undefined };

/** What is wrong beside the address, by the first part of the field. */
const WRONG: Readonly<Record<string, string>> = {
  expectedTotal: "This is more than one order may cost. Order it in parts.",
  lines: "There are more things in your cart than one order may have. Order it in parts.",
};

/** Refusals that say nothing about what an earlier sending with the same key has done. */
const SAYS_NOTHING = new Set([401, 403, 408, 425, 429, 503]);

/** Whether the server has decided that this key placed no order: another order needs another key. */
export const isDecided = ({ outcome, status, code }: Refused): boolean =>
  outcome === "none" && !SAYS_NOTHING.has(status) && code !== "IDEMPOTENCY_KEY_IN_PROGRESS";

/** `wasSent`: an earlier sending of the same attempt has not been answered. */
export function outcomeOf(refused: Refused, wasSent: boolean): Outcome {
  const { code, status, message, errors, problem, requestId } = refused;
  if (status === 401) return { kind: "session" };
  if (!isDecided(refused) && (wasSent || refused.outcome === "unknown" || code === "IDEMPOTENCY_KEY_IN_PROGRESS"))
    return { kind: "unknown", requestId };
  if (code === "PRICE_CHANGED") return { kind: "price", total: problem["total"] as Money };
  if (code === "CART_EMPTY")
    return { kind: "cart", message: "Your cart is empty: it may have been ordered in another tab. See your orders." };
  if (code === "PRODUCT_NOT_FOUND")
    return { kind: "cart", message: "Something in your cart is no longer in the shop. Nothing was ordered." };
  const faults: Record<string, string> = {};
  for (const { field, message: says } of errors) {
    const name = field.replace(/^shippingAddress\./, "");
    if (LINES.some(([known]) => known === name)) faults[name] ??= sentence(says);
  }
  if (Object.keys(faults).length > 0) return { kind: "fields", faults };
  const says = errors.map(({ field, message: why }) => WRONG[field.split(".")[0]!] ?? `${field} ${why}`);
  return { kind: "refused", message: sentence(says[0] ?? message), requestId };
}
const sentence = (text: string): string => {
  const upper = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(upper) ? upper : `${upper}.`;
};
