// A cursor names a place in a list by the values of the row there, not by the number of rows before it: rows that come or go
// meanwhile do not make another row appear twice or never. It is opaque to clients, and holds nothing that the row itself
// did not show.
import Type from "typebox";
import type { Refusal } from "../kernel/index.ts";
import { callErrors } from "./errors.ts";

export const Cursor = Type.String({
  minLength: 1,
  // A folded name, the name itself and an id: each name may have 200 characters of four bytes.
  maxLength: 4_000,
  pattern: "^[A-Za-z0-9_-]+$",
  description: "`nextCursor` of the page before, in the same order. Instead of `page`.",
});
export type CursorValue = string | number | boolean;

/** The place after a row: its values in the columns that the list is sorted by. `order` names the sorting. */
export const cursorOf = (order: string, values: readonly unknown[]): string =>
  Buffer.from(JSON.stringify([order, ...values])).toString("base64url");

/** The values in a cursor. Refuses (422, field `cursor`) a cursor of another order, and text that is no cursor. */
export function readCursor(cursor: string, order: string, length: number): CursorValue[] {
  const [of, ...values] = parsed(cursor);
  const isOurs = of === order && values.length === length;
  if (isOurs && values.every(isValue)) return values as CursorValue[];
  throw badCursor();
}

/** No row holds half of a character or a NUL: Postgres would fail to compare with them. */
const isValue = (value: unknown): boolean =>
  typeof value === "string"
    ? value.isWellFormed() && !value.includes("\0")
    : typeof value === "number" || typeof value === "boolean";

export const badCursor = (): Refusal =>
  callErrors.VALIDATION_ERROR({ field: "cursor", message: "is not one of this list in this order" });

/** Refuses (422, field `page`) a request that names its page by number and by cursor at once. */
export function oneOfPageAndCursor({ page, cursor }: { page?: number; cursor?: string }): void {
  if (page !== undefined && cursor !== undefined)
    throw callErrors.VALIDATION_ERROR({ field: "page", message: "is given beside cursor: send one" });
}

function parsed(cursor: string): unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString());
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
