/** Works through the items, at most `width` of them at a time, and resolves when all are done. Rejects at the first failure. */
export async function sideBySide<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = items.values();
  const workers = Array.from({ length: Math.min(items.length, width) }, async () => {
    for (const item of left) await work(item);
  });
  await Promise.all(workers);
}
