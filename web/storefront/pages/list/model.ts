// What a list of products shows, by its address.
export interface Shown {
  readonly q: string | undefined;
  readonly category: string | undefined;
  readonly sort: Sort | undefined;
  readonly page: number;
}
export const PAGE_SIZE = 24;

/** Sort orders as people choose them; the first is the server's own. */
export const SORTS = [
  ["", "Best match"],
  ["name", "Name"],
  ["price", "Price, lowest first"],
  ["-price", "Price, highest first"],
  ["-createdAt", "Newest"],
] as const satisfies readonly (readonly [value: string, label: string])[];
type Sort = Exclude<(typeof SORTS)[number][0], "">;

/** An address may be typed by anybody: what the API would refuse is left out. */
export function shownBy(query: Readonly<Record<string, string>>, category: string | undefined): Shown {
  const page = Number(query["page"]);
  const sort = SORTS.find(([value]) => value === query["sort"])?.[0] || undefined;
  return {
    q: query["q"]?.trim().slice(0, 100) || undefined,
    category: category?.slice(0, 60) || undefined,
    sort,
    page: Number.isInteger(page) && page >= 1 && page <= 1_000 ? page : 1,
  };
}

/** Key of the list as data of a page. */
export const keyOf = (shown: Shown): string => `list ${JSON.stringify(shown)}`;

export const inputOf = ({ q, category, sort, page }: Shown) => ({
  ...(q !== undefined && { q }),
  ...(category !== undefined && { category }),
  ...(sort !== undefined && { sort }),
  page,
  pageSize: PAGE_SIZE,
});

export function titleOf({ q, category }: Shown): string {
  if (q !== undefined) return `“${q}”`;
  if (category !== undefined) return category.charAt(0).toUpperCase() + category.slice(1);
  return "";
}

/** Pieces below which a card says how many are left. */
const SCARCE_BELOW = 10;
/** What a card says about the stock; nothing where there is plenty, or it is not known. */
export function scarcity(
  available: number | undefined,
): { readonly says: string; readonly isOut: boolean } | undefined {
  if (available === undefined || available >= SCARCE_BELOW) return undefined;
  return available <= 0 ? { says: "Sold out", isOut: true } : { says: `Only ${available} left`, isOut: false };
}

/** Categories whose name begins as a word of the search does, or has the same letters: `lampe`, `mgu`. */
export function nearTo(q: string, categories: readonly string[]): readonly string[] {
  const words = q
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter(word => word.length >= 3);
  return categories.filter(category =>
    words.some(word => {
      const name = category.toLowerCase();
      const stem = name.replace(/s$/, "");
      return name.startsWith(word.slice(0, 3)) || letters(word) === letters(stem) || letters(word) === letters(name);
    }),
  );
}
const letters = (word: string): string => word.split("").sort().join("");
