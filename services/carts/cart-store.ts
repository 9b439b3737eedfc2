/**
 * Where carts are kept. One line a product, in the order in which the products came in.
 *
 * A cart and its order are joined by ids, never by time. An order takes all lines at once. They leave the cart for a
 * claim, which has the order's id and the id of the command that places the order:
 *
 *   take → open → kept       the order is confirmed: the lines are sold
 *               → returned   the order was refused, rejected or cancelled: the lines go back into the cart
 *
 * A claim that has ended is remembered, so that a late repetition of its command takes nothing more.
 */
export interface CartStore {
  get(owner: string): Promise<StoredCart>;
  // With `ifVersion` these three refuse `PRECONDITION_FAILED` and change nothing, unless the cart has that version.
  /** Sets the quantity of a product. False, and nothing changed, when the cart would get more than `linesMax` lines. */
  put(owner: string, productId: string, quantity: number, linesMax: number, ifVersion?: number): Promise<boolean>;
  /** Nothing happens when the product is not in the cart. */
  remove(owner: string, productId: string, ifVersion?: number): Promise<void>;
  /** Removes all lines, or those last put at or before a moment (RFC 3339). */
  clear(owner: string, before?: string, ifVersion?: number): Promise<void>;
  /**
   * Moves all lines into the claim of an order. Repeated by the same command it answers the same lines. It answers none
   * for another command of that order while the claim is open or kept, and none once the claim has ended. A claim on an
   * empty cart is remembered too.
   */
  take(owner: string, claim: ClaimId): Promise<Taken>;
  /** The open claim of an order, if any. */
  claim(orderId: string): Promise<Claim | undefined>;
  /**
   * Ends an open claim; a second time nothing happens. Returned lines are added to those in the cart, up to the limits;
   * the rest is dropped.
   */
  settle(orderId: string, outcome: Outcome, limits: CartLimits): Promise<void>;
}

export interface CartLimits {
  readonly linesMax: number;
  readonly quantityMax: number;
}
export interface ClaimId {
  readonly orderId: string;
  readonly commandId: string;
}
export interface Claim extends ClaimId {
  /** Version of the cart that was taken. */
  readonly version: number;
}
export type Outcome = "kept" | "returned";

export interface Line {
  productId: string;
  quantity: number;
}
export interface Cart {
  items: Line[];
  /** RFC 3339; when a line of the cart was last put. Absent when the cart is empty. */
  updatedAt?: string;
  /** Grows with every change; 0 for a cart that was never changed. */
  version: number;
}
export interface StoredCart extends Cart {
  /** Open claims on lines of this cart, with their age by the store's clock. */
  claims: { orderId: string; ageMs: number }[];
}
export interface Taken {
  /** Version of the cart that was taken. */
  version: number;
  items: Line[];
}
