// What payments ask of a provider, whichever company it is. Its answer is one of seven outcomes, and the adapter reads
// them from what the answer says, not from a status code alone: a code may be a proxy's, or a repetition's. What it does
// not understand is `unknown`, which is asked again; what is our own mistake is `misconfigured`, which alarms and holds
// orders. Only a decline declines. `provider.conformance.ts` is what an adapter has to pass.
import type { Static } from "typebox";
import type { Money } from "../money.ts";

export type Outcome =
  /** The money is held. */
  | { readonly status: "authorized"; readonly authorizationId: string }
  /** The provider, or the bank behind it, says no. Nothing is held, nor will be. */
  | { readonly status: "declined" }
  | { readonly status: "captured" }
  /** Nothing is held, nor will be: taken back, or expired. */
  | { readonly status: "voided" }
  /** Somebody else has to act first: the customer at their bank. The provider will tell, or is asked. */
  | { readonly status: "pending" }
  /** Nothing can be said: no answer, or one that is not understood. Whoever repeats the request learns it. */
  | { readonly status: "unknown"; readonly reason: string }
  /** The request is refused for what we have set: credentials, address, currency. Repeated, it is until that is mended. */
  | { readonly status: "misconfigured"; readonly reason: string };

/** Of a refund: `declined` when the provider will not give back so much. */
export type RefundOutcome =
  { readonly status: "refunded" | "declined" | "pending" } | Extract<Outcome, { status: "unknown" | "misconfigured" }>;

export interface Authorization {
  readonly amount: Static<typeof Money>;
  readonly token: string;
}
export interface Refund {
  /** Its own idempotency key. */
  readonly key: string;
  readonly amount: Static<typeof Money>;
}
/** What the provider tells by itself. */
export interface Notice {
  readonly key: string;
  readonly outcome: Outcome;
}

/** Every request may be repeated under its key and then changes nothing. No method throws or rejects. */
export interface PaymentProvider {
  /** Holds the amount. `voided` when a void came before. */
  authorize(key: string, authorization: Authorization): Promise<Outcome>;
  /** Takes what is held. */
  capture(key: string): Promise<Outcome>;
  /** Lets go what is held, or will be: of a key that the provider has not seen yet it stops the authorization. */
  void(key: string): Promise<Outcome>;
  /** Gives back a part of what was captured under the key, or all of it. */
  refund(key: string, refund: Refund): Promise<RefundOutcome>;
  /** What has become of the key: `unknown` also when the provider has never seen it, or cannot be asked. */
  find(key: string): Promise<Outcome>;
  /**
   * What a webhook's body says, if it is signed by the provider and fresh. `undefined`: it is not, or cannot be read.
   * `now` in milliseconds since the epoch.
   */
  readNotice(body: string, signature: string, secret: string, now: number): Notice | undefined;
}
