// What `prerender.tsx` does, for the program that writes its pages: that runs on Node, without a browser's types.
import type { AnswerOf, Client, InputOf, RowOf } from "../../client/index.ts";

export type Product = RowOf<Client["products"]["list"]>;
export type List = AnswerOf<Client["products"]["list"]>;

export interface Rendered {
  /** Of `#app`. */
  readonly html: string;
  readonly title: string;
  /** What the browser has to know to take the elements over, as `kit/prerendered.ts` reads it. */
  readonly given: { readonly path: string; readonly data: Readonly<Record<string, unknown>> };
}

/** `names`: all categories of the shop. */
export interface Renderer {
  /** What the API is asked for the first page of a category, or of all products. */
  listInput(category?: string): InputOf<Client["products"]["list"]>;
  renderList(list: List, names: readonly string[], category?: string): Promise<Rendered>;
  renderProduct(product: Product, names: readonly string[]): Promise<Rendered>;
}
