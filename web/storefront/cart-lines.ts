// The lines of a cart, and what changes them.
import type { Product } from "../api.ts";

/** A product, as it was shown when it was put in, and how many of it. */
export interface Line {
  readonly product: Pick<Product, "id" | "sku" | "name" | "price" | "category" | "image">;
  readonly quantity: number;
}
type Item = { readonly productId: string; readonly quantity: number };
type Money = Product["price"];

/** As many of one product as the API takes. */
export const QUANTITY_MAX = 1_000;

export const countOf = (lines: readonly Line[]): number => lines.reduce((sum, { quantity }) => sum + quantity, 0);

/** The lines with another quantity of this product; none takes it out. `at`: where a new line comes, default at the end. */
export function withQuantity(
  lines: readonly Line[],
  product: Line["product"],
  quantity: number,
  at = lines.length,
): readonly Line[] {
  const { id, sku, name, price, category, image } = product;
  const line: Line = {
    product: { id, sku, name, price, category, ...(image && { image }) },
    quantity: Math.min(QUANTITY_MAX, quantity),
  };
  const others = lines.filter(one => one.product.id !== id);
  if (quantity <= 0) return others;
  return others.length === lines.length
    ? lines.toSpliced(at, 0, line)
    : lines.map(one => (one.product.id === id ? line : one));
}

export const quantityOf = (lines: readonly Line[], id: string): number =>
  lines.find(line => line.product.id === id)?.quantity ?? 0;

/** Undefined for lines of several currencies, which have no sum. */
export function totalOf(lines: readonly Line[]): Money | undefined {
  const [currency, other] = new Set(lines.map(({ product }) => product.price.currency));
  if (currency === undefined || other !== undefined) return undefined;
  return { amount: lines.reduce((sum, { product, quantity }) => sum + product.price.amount * quantity, 0), currency };
}

/** Both carts in one: of a product that is in both, the larger quantity. */
export function joined(guests: readonly Item[], accounts: readonly Item[]): readonly Item[] {
  const all = new Map(accounts.map(({ productId, quantity }) => [productId, quantity]));
  for (const { productId, quantity } of guests) all.set(productId, Math.max(quantity, all.get(productId) ?? 0));
  return [...all].map(([productId, quantity]) => ({ productId, quantity }));
}
export const itemsOf = (lines: readonly Line[]): readonly Item[] =>
  lines.map(({ product, quantity }) => ({ productId: product.id, quantity }));

/** What is said when a guest's cart has joined that of the account; nothing where the account had none of it. */
export function joinSays(guests: readonly Item[], accounts: readonly Item[]): string | undefined {
  if (accounts.length === 0) return undefined;
  if (guests.length === 0) return `Your cart is here: ${things(accounts)}, as you left it.`;
  return `Your cart has joined the one of your account: ${things(joined(guests, accounts))} now.`;
}
const things = (items: readonly Item[]): string => thingsSay(items.reduce((sum, { quantity }) => sum + quantity, 0));
export const thingsSay = (count: number): string => `${count} ${count === 1 ? "thing" : "things"}`;

/** What a cart is checked against: products as they are now, those that are gone, and what is on the shelf. */
export interface Now {
  readonly products: readonly Product[];
  /** Ids. */
  readonly gone: readonly string[];
  /** Pieces by SKU; a SKU that is missing is not known just now. */
  readonly available: Readonly<Record<string, number>>;
}
export interface Change {
  readonly kind: "gone" | "sold-out" | "short" | "price";
  /** Pieces that are left, for `short`. */
  readonly left?: number;
  /** What was shown before, for `price`. */
  readonly before?: Money;
}
/** A line as it is now, with all that has changed about it. */
export interface CheckedLine extends Line {
  readonly changes: readonly Change[];
}

export function checked(lines: readonly Line[], { products, gone, available }: Now): readonly CheckedLine[] {
  const byId = new Map(products.map(product => [product.id, product]));
  return lines.map(({ product, quantity }) => {
    const now = byId.get(product.id) ?? product;
    const left = available[now.sku];
    const changes: Change[] = [];
    if (gone.includes(product.id)) changes.push({ kind: "gone" });
    else if (left !== undefined && left <= 0) changes.push({ kind: "sold-out" });
    else if (left !== undefined && left < quantity) changes.push({ kind: "short", left });
    if (now.price.amount !== product.price.amount || now.price.currency !== product.price.currency)
      changes.push({ kind: "price", before: product.price });
    return { product: now, quantity, changes };
  });
}
/** Whether an order of these lines would be refused, or rejected. */
export const isBlocked = (lines: readonly CheckedLine[]): boolean =>
  lines.some(({ changes }) => changes.some(({ kind }) => kind !== "price"));
