// The state of a screen in its URL: filter, page, tab. Back restores it, a link shares it.
import { useLocation } from "preact-iso";
import { useCallback } from "preact/hooks";

export type Query = Readonly<Record<string, string>>;

/** A query with these changes; a value that is empty or undefined is left out. */
export function queryOf(query: Query, changes: Readonly<Record<string, string | number | undefined>>): string {
  const all = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...query, ...changes }))
    if (value !== undefined && value !== "") all.set(name, `${value}`);
  const text = all.toString();
  return text && `?${text}`;
}

/** The query of the URL, and what changes it. `replace`: no step of its own for Back, as for each letter of a search. */
export function useQuery(): [
  query: Query,
  change: (
    changes: Readonly<Record<string, string | number | undefined>>,
    options?: { readonly replace?: boolean },
  ) => void,
] {
  const { path, query, route } = useLocation();
  const change = useCallback<ReturnType<typeof useQuery>[1]>(
    (changes, { replace = false } = {}) => route(path + queryOf(query, changes), replace),
    [path, query, route],
  );
  return [query, change];
}
