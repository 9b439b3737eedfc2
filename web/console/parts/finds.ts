// Where Ctrl-K leads: screens and lists by their names.
export interface Place {
  readonly label: string;
  readonly path: string;
}

/** Lists that are asked for by name more often than by their screen. */
export const LISTS: readonly Place[] = [
  { label: "Stuck sagas", path: "/console/sagas?state=stuck" },
  { label: "Completed sagas", path: "/console/sagas?state=completed" },
  { label: "Failed operations", path: "/console/activity?outcome=failed" },
  { label: "Sales", path: "/console/shop?tab=sales" },
  { label: "Products", path: "/console/shop?tab=products" },
  { label: "Stock", path: "/console/shop?tab=stock" },
  { label: "Failed traces", path: "/console/traces?kind=failed" },
];

const letters = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, " ")
    .trim();

/** Those whose name has each word of the text, as the beginning of a word; the shortest names first. */
export function placesFor(text: string, places: readonly Place[]): Place[] {
  const words = letters(text).split(" ");
  return places
    .filter(({ label }) =>
      words.every(word =>
        letters(label)
          .split(" ")
          .some(part => part.startsWith(word)),
      ),
    )
    .toSorted((a, b) => a.label.length - b.label.length);
}
