/** Where carts are kept. One line a product, in the order in which the products came in. */
export interface CartStore {
  get(owner: string): Promise<Cart>;
  /** Sets the quantity of a product. False, and nothing changed, when that needs a line more than `linesMax`. */
  put(owner: string, productId: string, quantity: number, linesMax: number): Promise<boolean>;
  /** Nothing happens when the product is not in the cart. */
  remove(owner: string, productId: string): Promise<void>;
  /** Takes out all lines, or those last put at or before a moment (RFC 3339). */
  clear(owner: string, before?: string): Promise<void>;
}

export interface Cart {
  items: { productId: string; quantity: number }[];
  /** RFC 3339; when a line of it was last put. Absent when the cart is empty. */
  updatedAt?: string;
}
