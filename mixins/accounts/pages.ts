// Pages of a person's own lists, which are bounded: a page begins behind the last row of the one before.
import Type from "typebox";
import { Cursor } from "../contract/index.ts";
import { limits } from "./limits.ts";

/** Params of a list. */
export const paged = {
  pageSize: Type.Optional(Type.Integer({ minimum: 1, maximum: limits.pageSizeMax })),
  cursor: Type.Optional(Cursor),
};
export interface Paged {
  /** Default: `limits.pageSize`. */
  readonly pageSize?: number | undefined;
  /** `nextCursor` of the page before. */
  readonly cursor?: string | undefined;
}
export interface Page<T> {
  readonly rows: T[];
  /** Absent on the last page. */
  readonly nextCursor?: string;
}

/** The first rows of those that are left; `cursorAt` makes the cursor of a row. */
export function pageOf<T>(left: readonly T[], pageSize: number, cursorAt: (last: T) => string): Page<T> {
  const rows = left.slice(0, pageSize);
  return { rows, ...(left.length > pageSize && { nextCursor: cursorAt(rows.at(-1)!) }) };
}
