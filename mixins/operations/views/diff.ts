// How two values of JSON differ, path by path.

export interface Change {
  /** `lines[0].quantity`. */
  readonly path: string;
  /** Absent: the path is new. */
  readonly before?: unknown;
  /** Absent: the path is gone. */
  readonly after?: unknown;
}

/** The differences in the order of the paths, at most `limit`; values at paths of these names, and below, are not told. */
export function diff(before: unknown, after: unknown, limit: number, secrets: ReadonlySet<string>): Change[] {
  const changes: Change[] = [];
  const compare = (path: string, a: unknown, b: unknown, isSecret: boolean): void => {
    if (changes.length >= limit) return;
    if (isNested(a) && isNested(b) && Array.isArray(a) === Array.isArray(b)) {
      for (const key of new Set([...Object.keys(a), ...Object.keys(b)]))
        compare(joined(path, key, Array.isArray(a)), a[key], b[key], isSecret || secrets.has(key));
      return;
    }
    if (Object.is(a, b)) return;
    const told = (value: unknown): unknown => (isSecret ? "…" : value);
    changes.push({ path, ...(a !== undefined && { before: told(a) }), ...(b !== undefined && { after: told(b) }) });
  };
  compare("", before, after, false);
  return changes;
}

const isNested = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

function joined(path: string, key: string, isItem: boolean): string {
  if (isItem) return `${path}[${key}]`;
  const name = /^[\w-]+$/.test(key) ? key : JSON.stringify(key);
  return path === "" ? name : `${path}.${name}`;
}
