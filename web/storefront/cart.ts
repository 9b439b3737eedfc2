// The cart. A guest's lives in the browser. At sign-in it joins the account's; from then on each change goes to the account, and
// what the browser keeps is a copy, with names and prices as they were shown.
import { ProblemError, type Product } from "../api.ts";
import { kept, toast } from "../kit/index.ts";
import { itemsOf, joined, joinSays, quantityOf, withQuantity, type Line, type Now } from "./cart-lines.ts";
import { session, shop } from "./shop.ts";

export const cart = kept<readonly Line[]>("cart", []);
/** Id of the account that the copy is of; null for a guest's cart. */
const owner = kept<string | null>("cart-owner", null);

/** One change after the other: two that are under way could arrive in another order. */
let writes: Promise<void> = Promise.resolve();
/** Resolves when the account has every change. */
export const cartSettled = (): Promise<void> => writes;

/**
 * Sets the quantity of a product; 0 takes it out. A change that the account refuses is taken back, and said. `at`: place of a new line,
 * default the last.
 */
export function setQuantity(product: Line["product"], quantity: number, at?: number): void {
  const before = quantityOf(cart.peek(), product.id);
  cart.value = withQuantity(cart.peek(), product, quantity, at);
  if (session.user.peek() === null) return;
  writes = writes
    .then(() => write(product.id))
    .catch((error: unknown) => {
      // The session is over: it is a guest's cart again, and joins at the next sign-in.
      if (session.user.peek() === null) return;
      cart.value = withQuantity(cart.peek(), product, before);
      const why = error instanceof ProblemError && error.status > 0 ? error.message : "the shop does not answer";
      toast(`Your cart is as it was: ${why}.`, { label: "Try again", run: () => setQuantity(product, quantity) });
    });
}

/** Sends the quantity that the product has by now. */
async function write(productId: string): Promise<void> {
  const quantity = quantityOf(cart.peek(), productId);
  await (quantity > 0 ? shop.cart.put({ productId, quantity }) : shop.cart.remove(productId));
}

/**
 * Joins the guest's cart with that of the account that has just signed in, the larger quantity of each. Answers what to say about it.
 * Throws ProblemError; the cart is then as it was.
 */
export async function joinCarts(): Promise<string | undefined> {
  const { id } = session.user.peek()!;
  const wasGuests = owner.peek() === null;
  // The copy of another account's cart joins nothing.
  const guests = wasGuests || owner.peek() === id ? itemsOf(cart.peek()) : [];
  const { items: accounts } = await shop.cart.get();
  const all = joined(guests, accounts);
  const has = new Map(accounts.map(item => [item.productId, item.quantity]));
  for (const { productId, quantity } of all)
    if (has.get(productId) !== quantity) await shop.cart.put({ productId, quantity }).catch(ignoreGone);
  await show(all);
  return wasGuests ? joinSays(guests, accounts) : undefined;
}
function ignoreGone(error: unknown): void {
  if (!shop.cart.put.isProblem(error, "PRODUCT_NOT_FOUND")) throw error;
}

/** Shows the account's cart as it is now: another device may have changed it. */
export async function refreshCart(): Promise<void> {
  if (session.user.peek() === null) return;
  await cartSettled();
  await show((await shop.cart.get()).items);
}

/** Takes these items for the cart of the account, with the products as they are shown or, where they are new here, as they are. */
async function show(items: readonly { readonly productId: string; readonly quantity: number }[]): Promise<void> {
  const known = new Map(cart.peek().map(({ product }) => [product.id, product]));
  const { products, gone } = await productsNow(items.map(item => item.productId).filter(id => !known.has(id)));
  for (const product of products) known.set(product.id, product);
  cart.value = items
    .filter(({ productId }) => !gone.includes(productId))
    .map(({ productId, quantity }) => ({ product: known.get(productId)!, quantity }));
  owner.value = session.user.peek()?.id ?? null;
}

/** Empties what this browser keeps: the order has taken the cart, or the account has signed out. */
export function forgetCart(): void {
  cart.value = [];
  owner.value = session.user.peek()?.id ?? null;
}

async function productsNow(ids: readonly string[], signal?: AbortSignal): Promise<Pick<Now, "products" | "gone">> {
  const gone: string[] = [];
  const products = await Promise.all(
    ids.map(id =>
      shop.products.get(id, { signal }).catch((error: unknown): undefined => {
        if (!shop.products.get.isProblem(error, "PRODUCT_NOT_FOUND")) throw error;
        gone.push(id);
        return undefined;
      }),
    ),
  );
  return { products: products.filter((product): product is Product => product !== undefined), gone };
}

/** Products and stock of these lines as they are now. Stock that is not answered is not known. */
export async function cartNow(lines: readonly Line[], signal: AbortSignal): Promise<Now> {
  if (lines.length === 0) return { products: [], gone: [], available: {} };
  const [now, available] = await Promise.all([
    productsNow(
      lines.map(({ product }) => product.id),
      signal,
    ),
    stockOf(
      lines.map(({ product }) => product.sku),
      signal,
    ),
  ]);
  return { ...now, available };
}

/** SKUs that the API takes in one question. */
const STOCK_MAX = 100;
/** Pieces by SKU. A SKU whose stock is not known, or an answer that does not come, is left out. */
export async function stockOf(skus: readonly string[], signal: AbortSignal): Promise<Readonly<Record<string, number>>> {
  const plain = skus.filter(sku => !sku.includes(","));
  if (plain.length === 0) return {};
  try {
    const asked = plain.slice(0, STOCK_MAX);
    const { rows } = await shop.stock.levels({ sku: asked.join(",") }, { signal });
    // A SKU that never was in stock has no row.
    return Object.fromEntries([...asked.map(sku => [sku, 0]), ...rows.map(({ sku, available }) => [sku, available])]);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ProblemError) return {};
    throw error;
  }
}
