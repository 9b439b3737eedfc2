// What a person has typed for an order, and the order that is under way. Both live as long as the tab: a reload, a sign-in in
// between or an answer that was lost takes nothing.
import type { InputOf } from "../api.ts";
import { kept } from "../kit/kept.ts";
import type { shop } from "./shop.ts";

export type Placed = InputOf<typeof shop.orders.place>;

/** Fields of the form by their names. */
export const draft = kept<Readonly<Record<string, string>>>("checkout", {}, "session");

/**
 * An order that was sent and whose answer has not come. It has one key through all repetitions, so that it is placed once: a reload in
 * the middle finds it here.
 */
export interface Attempt {
  readonly key: string;
  readonly input: Placed;
  /** Id of the account that orders. */
  readonly customer: string;
}
export const attempt = kept<Attempt | null>("checkout-attempt", null, "session");

export function forgetDraft(): void {
  draft.value = {};
  attempt.value = null;
}
