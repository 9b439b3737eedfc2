// Categories as the shop has them. Those of the last visit, or those that the page came with, are shown at once.
import { signal, type Signal } from "@preact/signals";
import { givenData, kept } from "../kit/index.ts";
import { shop } from "./shop.ts";

/** Key of those that a page comes with. */
export const CATEGORIES = "categories";
const given = givenData(CATEGORIES) as readonly string[] | undefined;
export const categories: Signal<readonly string[]> =
  given === undefined ? kept<readonly string[]>(CATEGORIES, []) : signal(given);

/** Asks the shop; where it does not answer, those that are known stay. */
export async function refreshCategories(): Promise<void> {
  try {
    const { rows } = await shop.categories.list();
    categories.value = rows.map(({ category }) => category);
  } catch {
    // The lists say what is wrong.
  }
}
