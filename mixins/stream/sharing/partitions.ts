// The partitions of a log, by which a consumer is shared out among the nodes that run it. A stream lies in one partition for
// ever, so the order of its events holds whichever node has the partition.
//
// The number of partitions is part of their names, `3/16`: nodes that count otherwise find none of each other's rows and
// leases, and take turns instead (gate.ts).
import { bucketOf } from "../../event-store/index.ts";
import { leastOf, type Cursor } from "../log/source.ts";

/** Name of the one partition of releases that read the whole log on one node. Its row is kept for a roll-back to them. */
export const WHOLE = "0";

/** The partition of a stream (`loan.42`), from 0 on. `count` divides the number of buckets. */
export const partitionOf = (stream: string, count: number): number => bucketOf(stream) % count;

export const partitionName = (partition: number, count: number): string => `${partition}/${count}`;
export const partitionNames = (count: number): string[] =>
  Array.from({ length: count }, (_, partition) => partitionName(partition, count));

/** The partition that a name means, of so many; -1 for a name of another number. */
export function partitionIn(name: string, count: number): number {
  const [partition, of] = name.split("/");
  return Number(of) === count ? Number(partition) : -1;
}

/** The holder of a gate on behalf of all nodes that count so many partitions. */
export const layoutName = (count: number): string => `partitions:${count}`;

/** The rows of a consumer without the one that is kept for a roll-back, where there are rows of partitions beside it. */
export function presentRows<R extends { readonly source: string; readonly partition: string }>(
  rows: readonly R[],
): R[] {
  const isPartitioned = new Set(rows.filter(row => row.partition !== WHOLE).map(row => row.source));
  return rows.filter(row => row.partition !== WHOLE || !isPartitioned.has(row.source));
}

/** The cursor up to which all rows of a source have handled its log. */
export const reachedBy = (rows: readonly { readonly cursor: Cursor }[]): Cursor =>
  leastOf(rows.map(({ cursor }) => cursor));
