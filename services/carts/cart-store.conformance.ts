import { expect, test } from "@jest/globals";
import { newId, rfc3339 } from "../../mixins/kernel/index.ts";
import { until } from "../../test/shop.ts";
import type { Cart, CartStore } from "./cart-store.ts";

/** Three products, in the order of their ids. */
const [a, b, c] = Array.from({ length: 3 }, newId).toSorted() as [string, string, string];
const MAX = 100;

/** What every cart store must do. `open` gives one; carts of other owners may lie in it. */
export function cartStoreConformance(open: () => Promise<CartStore>): void {
  const start = async () => {
    const store = await open();
    const owner = newId();
    const put = (productId: string, quantity: number, linesMax = MAX) =>
      store.put(owner, productId, quantity, linesMax);
    const get = (): Promise<Cart> => store.get(owner);
    /** So that the next line is put at a later moment, by whatever clock. */
    const laterThan = async (moment: string) => {
      const other = newId();
      await until("time has passed", async () => {
        await store.put(other, a, 1, MAX);
        return (await store.get(other)).updatedAt! > moment;
      });
    };
    return { store, owner, put, get, laterThan };
  };
  const line = (productId: string, quantity: number) => ({ productId, quantity });

  test("a cart that was never filled is empty", async () => {
    const { get } = await start();
    expect(await get()).toEqual({ items: [] });
  });

  test("putting sets the quantity; lines stay in the order in which they came", async () => {
    const { put, get, laterThan } = await start();
    expect(await put(c, 1)).toBe(true);
    const first = (await get()).updatedAt!;
    await laterThan(first);
    await put(a, 3);
    await put(c, 5);
    const { items, updatedAt } = await get();
    expect(items).toEqual([line(c, 5), line(a, 3)]);
    expect(updatedAt! > first).toBe(true);
    expect(updatedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(Math.abs(Date.parse(updatedAt!) - Date.now())).toBeLessThan(60_000);
  });

  test("what is removed is gone, a second time as well, and nothing else is", async () => {
    const { store, owner, put, get } = await start();
    await put(a, 1);
    await put(b, 2);
    await store.remove(owner, a);
    await store.remove(owner, a);
    expect((await get()).items).toEqual([line(b, 2)]);
    await store.remove(owner, b);
    expect(await get()).toEqual({ items: [] });
  });

  test("no line is put past the limit, also when many are put at once; those there can still change", async () => {
    const { put, get } = await start();
    const products = Array.from({ length: 10 }, newId);
    const taken = await Promise.all(products.map(product => put(product, 1, 4)));
    expect(taken.filter(Boolean)).toHaveLength(4);
    const { items } = await get();
    expect(items).toHaveLength(4);
    expect(await put(items[0]!.productId, 9, 4)).toBe(true);
    expect((await get()).items.find(({ productId }) => productId === items[0]!.productId)?.quantity).toBe(9);
    expect(await put(newId(), 1, 4)).toBe(false);
    expect((await get()).items).toHaveLength(4);
  });

  test("clearing takes all, or what was last put at or before a moment", async () => {
    const { store, owner, put, get, laterThan } = await start();
    await put(b, 1);
    await put(a, 1);
    const moment = (await get()).updatedAt!;
    await laterThan(moment);
    await put(b, 2);
    await put(c, 3);
    await store.clear(owner, rfc3339(0));
    expect((await get()).items).toHaveLength(3);
    await store.clear(owner, moment);
    await store.clear(owner, moment);
    expect((await get()).items).toEqual([line(b, 2), line(c, 3)]);
    await store.clear(owner);
    await store.clear(owner);
    expect(await get()).toEqual({ items: [] });
  });

  test("a cart is its owner's alone", async () => {
    const { store, put, get } = await start();
    const other = newId();
    await put(a, 1);
    await store.put(other, b, 2, MAX);
    await store.remove(other, a);
    expect((await get()).items).toEqual([line(a, 1)]);
    await store.clear(other);
    expect((await get()).items).toEqual([line(a, 1)]);
    expect((await store.get(other)).items).toEqual([]);
  });
}
