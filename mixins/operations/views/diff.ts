// How two values of JSON differ, path by path.

import { withoutSecrets } from "../../contract/index.ts";
import type { Hidden } from "../asking.ts";

export interface Change {
  /** `lines[0].quantity`. */
  readonly path: string;
  /** Absent: the path is new. */
  readonly before?: unknown;
  /** Absent: the path is gone. */
  readonly after?: unknown;
}

/** The differences in the order of the paths, at most `limit`; values of hidden fields, and what is in them, are not told. */
export function diff(before: unknown, after: unknown, limit: number, { secrets, personal }: Hidden): Change[] {
  const changes: Change[] = [];
  const compare = (path: string, a: unknown, b: unknown, isHidden: boolean): void => {
    if (changes.length >= limit) return;
    if (isNested(a) && isNested(b) && Array.isArray(a) === Array.isArray(b)) {
      const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
      for (const key of keys) {
        const hides = secrets.has(key) || (personal?.has(key, keys) ?? false);
        compare(joined(path, key, Array.isArray(a)), a[key], b[key], isHidden || hides);
      }
      return;
    }
    if (Object.is(a, b)) return;
    // A whole object that comes or goes has fields of its own.
    const told = (value: unknown): unknown => (isHidden ? "…" : withoutSecrets(value, secrets, personal));
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
