// given(LoanList, event…) → the rows of its tables: no database, no broker, no test framework.
import type { TProperties } from "typebox";
import type { Data, EventData, EventName, Recorded } from "../contract/index.ts";
import type { Projection } from "./define-projection.ts";
import { Fold } from "./fold.ts";
import { shapesOf } from "./shape.ts";

/** An event for a unit test. The version is counted; `stream` is "1" and `at` the start of 2030 by default. */
export type GivenEvent = {
  [T in EventName]: { readonly type: T; readonly data: EventData<T>; readonly stream?: string; readonly at?: string };
}[EventName];

/**
 * The rows of each table after these events, in the order of their first writing. Throws what a handler throws.
 *
 *     const { loans } = await given(LoanList, { type: "loan.made", stream: "1", data });
 */
export async function given<T extends Record<string, TProperties>>(
  projection: Projection<T>,
  ...events: readonly GivenEvent[]
): Promise<{ [K in keyof T]: Data<T[K]>[] }> {
  const fold = new Fold(projection, shapesOf(projection), async () => []);
  const versions = new Map<string, number>();
  const recorded = events.map(({ type, data, stream = "1", at = "2030-01-01T00:00:00.000Z" }): Recorded => {
    const [actor = ""] = (type as string).split(".");
    const name = `${actor}.${stream}`;
    const version = (versions.get(name) ?? 0) + 1;
    versions.set(name, version);
    return { eventId: `${name}@${version}`, type, actor, stream, version, at, data, metadata: {} };
  });
  for (const { error } of (await fold.run(recorded)).values()) throw error;
  return Object.fromEntries(
    fold.tables.map(table => [table.shape.table, table.changes().written.map(row => table.shape.give(row))]),
  ) as never;
}
