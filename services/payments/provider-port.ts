// The port to a payment provider, whichever company it is. An answer is one of seven outcomes. The adapter reads it
// from the content of the answer, not from a status code alone, which a proxy may have sent. An answer that it does not
// understand is `unknown`, and is asked for again; a mistake of ours is `misconfigured`, which raises the alarm and
// holds orders. Only `declined` declines. Every adapter must pass `provider.conformance.ts`.
import type { Static } from "typebox";
import type { Money } from "../money.ts";

export type Outcome =
  /** The money is held. */
  | { readonly status: "authorized"; readonly authorizationId: string }
  /** The provider, or the bank behind it, refuses. No money is or will be held. */
  | { readonly status: "declined" }
  | { readonly status: "captured" }
  /** No money is or will be held: the authorization was taken back, or has expired. */
  | { readonly status: "voided" }
  /** Another party has to act first: the customer at their bank. The provider will tell, or is asked. */
  | { readonly status: "pending" }
  /** No answer, or one that is not understood. A repetition of the request gets the outcome. */
  | { readonly status: "unknown"; readonly reason: string }
  /**
   * The request is refused because of our settings: credentials, address, currency. A repetition is refused too, until
   * they are mended.
   */
  | { readonly status: "misconfigured"; readonly reason: string };

/** Outcome of a refund: `declined` when the provider will not give back so much. */
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
/** The content of a webhook. */
export interface Notice {
  readonly key: string;
  readonly outcome: Outcome;
}

/** Every request may be repeated under its key, and then changes nothing. No method throws or rejects. */
export interface PaymentProvider {
  /** Holds the amount. `voided` when a void came before. */
  authorize(key: string, authorization: Authorization): Promise<Outcome>;
  /** Takes the held amount. */
  capture(key: string): Promise<Outcome>;
  /** Releases what is held or will be: for a key that the provider has not seen yet it stops the authorization. */
  void(key: string): Promise<Outcome>;
  /** Gives back a part of what was captured under the key, or all of it. */
  refund(key: string, refund: Refund): Promise<RefundOutcome>;
  /** The state of the key: `unknown` also when the provider has never seen it, or cannot be asked. */
  find(key: string): Promise<Outcome>;
  /**
   * The content of a webhook's body, if the provider has signed it and it is fresh; otherwise `undefined`. `now` in
   * milliseconds since the epoch.
   */
  readNotice(body: string, signature: string, secret: string, now: number): Notice | undefined;
}
