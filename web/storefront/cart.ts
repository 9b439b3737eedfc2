// A guest's cart. It lives in the browser, with what was shown when a product was put in.
import { kept } from "../kit/index.ts";
import type { Product } from "../api.ts";

export interface Line {
  readonly product: Pick<Product, "id" | "sku" | "name" | "price" | "category" | "image">;
  readonly quantity: number;
}
/** As many of one product as the API takes. */
export const QUANTITY_MAX = 1_000;

export const cart = kept<readonly Line[]>("cart", []);

export const countOf = (lines: readonly Line[]): number => lines.reduce((sum, { quantity }) => sum + quantity, 0);

/** The lines with another quantity of this product; none takes it out. */
export function withQuantity(lines: readonly Line[], product: Line["product"], quantity: number): readonly Line[] {
  const { id, sku, name, price, category, image } = product;
  const line: Line = {
    product: { id, sku, name, price, category, ...(image && { image }) },
    quantity: Math.min(QUANTITY_MAX, quantity),
  };
  const others = lines.filter(one => one.product.id !== id);
  if (quantity <= 0) return others;
  return others.length === lines.length ? [...lines, line] : lines.map(one => (one.product.id === id ? line : one));
}

export const quantityOf = (lines: readonly Line[], id: string): number =>
  lines.find(line => line.product.id === id)?.quantity ?? 0;

/** Undefined for lines of several currencies, which have no sum. */
export function totalOf(lines: readonly Line[]): Product["price"] | undefined {
  const [currency, other] = new Set(lines.map(({ product }) => product.price.currency));
  if (currency === undefined || other !== undefined) return undefined;
  return { amount: lines.reduce((sum, { product, quantity }) => sum + product.price.amount * quantity, 0), currency };
}
