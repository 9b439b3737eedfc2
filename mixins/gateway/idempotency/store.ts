// Where first answers are kept, by Idempotency-Key, so that a repeat on any gateway gets them
// (draft-ietf-httpapi-idempotency-key-header-07). The life of a key:
//
//   1. claim    the first request with it owns the key for a lease, longer than a request may take;
//   2. finish   the owner leaves its answer, which is kept for a day; or
//   3. release  the request was refused and wrote nothing: the key is as if it had never been sent.
//
// An owner that dies leaves its lease to run out, and the next request takes the key over. The late finish of an owner
// that has lost its key changes nothing. Every step is atomic across gateways, and time is the store's.

/** One request that wants to own a key. */
export interface Claim {
  /** The key of one user on one route, hashed; see `scopeOf`. */
  readonly scope: string;
  /** Equal for equal requests. */
  readonly fingerprint: string;
  /** Different for each request. */
  readonly owner: string;
}
/** A claim with the user whose key it is: what one user may keep is bounded where memory is dear. */
export interface HeldClaim extends Claim {
  readonly holder: string;
}

export type Claimed =
  /** The key is this request's: it may run. */
  | { readonly state: "owned" }
  /** Another request with this key runs, for so many milliseconds at most. */
  | { readonly state: "running"; readonly endsInMs: number }
  /** The key belongs to another request. */
  | { readonly state: "other" }
  /** The request was carried out. Without an answer: that one was not kept. */
  | { readonly state: "done"; readonly answer?: string };

export interface AnswerStore {
  /** Claims a key for `leaseMs`. Unavailable (outcome none) when the store is away. */
  claim(claim: Claim, leaseMs: number): Promise<Claimed>;
  /** Keeps the answer, or without one only that there was one. False when the key is another's by now. */
  finish(claim: HeldClaim, answer?: string): Promise<boolean>;
  /** Gives an own key back. */
  release(claim: Claim): Promise<void>;
}
