// Whether newer rows may take the place of those that are shown. Pure.

/** Rows as they are shown: each by its key, with a text that is another one when anything about it has changed. */
export type Rows = readonly (readonly [key: string, sign: string])[];

/**
 * The same rows in the same order may be shown at once, whatever has changed in them: none moves under the pointer. So may the first
 * ones of a list that was empty.
 */
export const fits = (shown: Rows, found: Rows): boolean =>
  shown.length === 0 || (shown.length === found.length && shown.every(([key], n) => key === found[n]![0]));

/** What waits to be shown, in words: `3 new, 1 gone`. */
export function newsOf(shown: Rows, found: Rows): string {
  const [before, after] = [new Set(shown.map(([key]) => key)), new Set(found.map(([key]) => key))];
  const come = found.filter(([key]) => !before.has(key)).length;
  const gone = shown.filter(([key]) => !after.has(key)).length;
  const parts = [come > 0 && `${come} new`, gone > 0 && `${gone} gone`].filter(Boolean);
  return parts.length > 0 ? parts.join(", ") : "Another order";
}
