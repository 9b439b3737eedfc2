import type { Static } from "typebox";
import type { Table } from "@valence/runtime/crud";
import type { Record as Schema } from "./contract.ts";

export type Record = Static<typeof Schema>;

/** Columns of a record in its table. */
export const records = {
  table: "records",
  fields: { id: "text", name: "text", note: "text?", createdAt: "text", updatedAt: "text" },
} as const satisfies Table;
