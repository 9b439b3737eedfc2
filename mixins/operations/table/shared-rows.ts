// Rows of work that nodes share by partitions, with the number that each node has: sixteen numbers would fill a line.

interface Shared {
  readonly partitions?: readonly { readonly owner: string | null }[];
}

/** The rows with `partitions` as a text, `node-1 6, node-2 5, none 5`. */
export const withNodes = (rows: readonly Shared[]): readonly Readonly<Record<string, unknown>>[] =>
  rows.map(row => ({ ...row, partitions: nodesOf(row.partitions ?? []) }));

const nodesOf = (partitions: NonNullable<Shared["partitions"]>): string | undefined => {
  const byNode = Map.groupBy(partitions, ({ owner }) => owner ?? "none");
  const texts = [...byNode].sort(([a], [b]) => (a < b ? -1 : 1)).map(([node, own]) => `${node} ${own.length}`);
  return texts.length === 0 ? undefined : texts.join(", ");
};
