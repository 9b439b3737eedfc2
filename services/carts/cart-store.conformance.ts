import { expect, test } from "@jest/globals";
import { newId, rfc3339 } from "@valence/runtime/kernel";
import { until } from "@valence/runtime/testing";
import type { CartStore, StoredCart } from "./cart-store.ts";

/** Three products, in the order of their ids. */
const [a, b, c] = Array.from({ length: 3 }, newId).toSorted() as [string, string, string];
const MAX = 100;
const LIMITS = { linesMax: 4, quantityMax: 1_000 };

/** The suite that every cart store passes. `open` gives one; it may hold carts of other owners. */
export function cartStoreConformance(open: () => Promise<CartStore>): void {
  const start = async () => {
    const store = await open();
    const owner = newId();
    const put = (productId: string, quantity: number, linesMax = MAX) =>
      store.put(owner, productId, quantity, linesMax);
    const get = (): Promise<StoredCart> => store.get(owner);
    /** Waits, so that the next line is put at a later moment by the store's clock. */
    const laterThan = async (moment: string) => {
      const other = newId();
      await until("time has passed", async () => {
        await store.put(other, a, 1, MAX);
        return (await store.get(other)).updatedAt! > moment;
      });
    };
    return { store, owner, put, get, laterThan };
  };
  /** The cart as command `by` of `order` takes it. */
  const claimOf = (order = newId(), by = "command-1") => ({ orderId: order, commandId: by });
  const line = (productId: string, quantity: number) => ({ productId, quantity });

  test("a cart that was never filled is empty", async () => {
    const { get } = await start();
    expect(await get()).toEqual({ items: [], version: 0, claims: [] });
  });

  test("a change of another version than the one that is asked for is refused, and changes nothing", async () => {
    const { store, owner, put, get } = await start();
    const refused = { type: "PRECONDITION_FAILED", code: 412 };
    await expect(store.put(owner, a, 1, MAX, 7)).rejects.toMatchObject(refused);
    expect(await store.put(owner, a, 1, MAX, 0)).toBe(true);
    await put(b, 1);
    const before = await get();
    await expect(store.put(owner, a, 5, MAX, 1)).rejects.toMatchObject(refused);
    await expect(store.remove(owner, a, 1)).rejects.toMatchObject(refused);
    await expect(store.clear(owner, undefined, 1)).rejects.toMatchObject(refused);
    expect(await get()).toEqual(before);
    await store.remove(owner, a, 2);
    await store.clear(owner, undefined, 3);
    expect(await get()).toEqual({ items: [], version: 4, claims: [] });
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

  test("a removed line is gone, a second removal changes nothing, and other lines stay", async () => {
    const { store, owner, put, get } = await start();
    await put(a, 1);
    await put(b, 2);
    await store.remove(owner, a);
    await store.remove(owner, a);
    expect((await get()).items).toEqual([line(b, 2)]);
    await store.remove(owner, b);
    expect((await get()).items).toEqual([]);
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
    expect((await get()).items).toEqual([]);
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

  test("each change makes a new version, and nothing else does", async () => {
    const { store, owner, put, get } = await start();
    const versions: number[] = [];
    const note = async () => void versions.push((await get()).version);
    for (const change of [
      () => put(a, 1),
      () => put(a, 1),
      () => store.remove(owner, a),
      () => store.remove(owner, a),
      () => store.clear(owner),
      () => put(b, 1),
      () => put(c, 1, 1),
      () => store.clear(owner, rfc3339(0)),
      () => store.clear(owner),
    ]) {
      await change();
      await note();
    }
    expect(versions).toEqual([1, 2, 3, 3, 3, 4, 4, 4, 5]);
  });

  test("an order takes all that lies in the cart, of one version; repeated, it takes the same and no more", async () => {
    const { store, owner, put, get } = await start();
    await put(a, 1);
    await put(b, 2);
    const claim = claimOf();
    const taken = await store.take(owner, claim);
    expect(taken.version).toBe(2);
    expect(taken.items.toSorted((x, y) => (x.productId < y.productId ? -1 : 1))).toEqual([line(a, 1), line(b, 2)]);
    expect(await get()).toMatchObject({ items: [], version: 3, claims: [{ orderId: claim.orderId }] });
    await put(a, 5);
    expect(await store.take(owner, claim)).toEqual(taken);
    expect((await get()).items).toEqual([line(a, 5)]);
    expect(await store.claim(claim.orderId)).toEqual({ ...claim, version: 2 });
    const { ageMs } = (await get()).claims[0]!;
    expect(ageMs).toBeGreaterThanOrEqual(0);
    expect(ageMs).toBeLessThan(30_000);
  });

  test("when orders take at once, one gets everything and the others nothing", async () => {
    const { store, owner, put, get } = await start();
    for (const product of [a, b, c]) await put(product, 1);
    const taken = await Promise.all(Array.from({ length: 8 }, () => store.take(owner, claimOf())));
    expect(taken.map(({ items }) => items.length).filter(n => n > 0)).toEqual([3]);
    expect(await get()).toMatchObject({ items: [], claims: [{}] });
  });

  test("a line that is put, removed or taken at once is in the order or in the cart, never in both or neither", async () => {
    const { store, owner, put, get } = await start();
    for (let round = 0; round < 20; round++) {
      await store.clear(owner);
      await put(a, 1);
      const [taken] = await Promise.all([store.take(owner, claimOf()), put(b, 2), store.remove(owner, c)]);
      const both = [...taken.items, ...(await get()).items];
      expect(both.toSorted((x, y) => x.quantity - y.quantity)).toEqual([line(a, 1), line(b, 2)]);
    }
  });

  test("another command of an order takes nothing until the first one's claim has been returned", async () => {
    const { store, owner, put } = await start();
    await put(a, 1);
    const claim = claimOf();
    await store.take(owner, claim);
    await put(b, 1);
    const other = claimOf(claim.orderId, "command-2");
    expect((await store.take(owner, other)).items).toEqual([]);
    await store.settle(claim.orderId, "returned", LIMITS);
    expect((await store.take(owner, other)).items).toHaveLength(2);
    await store.settle(claim.orderId, "kept", LIMITS);
    await put(c, 1);
    expect((await store.take(owner, claim)).items).toEqual([]);
    expect((await store.take(owner, claimOf(claim.orderId, "command-3"))).items).toEqual([]);
  });

  test("an order that met an empty cart takes nothing later", async () => {
    const { store, owner, put, get } = await start();
    const claim = claimOf();
    expect(await store.take(owner, claim)).toEqual({ version: 0, items: [] });
    expect(await store.claim(claim.orderId)).toBeUndefined();
    await put(a, 1);
    expect((await store.take(owner, claim)).items).toEqual([]);
    expect((await get()).items).toEqual([line(a, 1)]);
  });

  test("kept lines are gone; returned lines are added to the cart, in their old order, once", async () => {
    const { store, owner, put, get, laterThan } = await start();
    await put(b, 1);
    await laterThan((await get()).updatedAt!);
    await put(a, 2);
    const [first, second] = [claimOf(), claimOf()];
    await store.take(owner, first);
    await store.settle(first.orderId, "kept", LIMITS);
    await store.settle(first.orderId, "returned", LIMITS);
    expect(await get()).toMatchObject({ items: [], version: 3, claims: [] });
    await put(b, 1);
    await laterThan((await get()).updatedAt!);
    await put(a, 2);
    await store.take(owner, second);
    await put(a, 3);
    for (let n = 0; n < 2; n++) await store.settle(second.orderId, "returned", LIMITS);
    expect(await get()).toMatchObject({ items: [line(b, 1), line(a, 5)], version: 8, claims: [] });
    expect(await store.claim(second.orderId)).toBeUndefined();
    expect((await store.take(owner, second)).items).toEqual([]);
  });

  test("returned lines fill a cart up to its limits", async () => {
    const { store, owner, put, get } = await start();
    for (const product of [a, b]) await put(product, 600);
    const claim = claimOf();
    await store.take(owner, claim);
    await put(a, 500);
    for (let n = 0; n < 3; n++) await put(newId(), 1);
    await store.settle(claim.orderId, "returned", LIMITS);
    const { items } = await get();
    expect(items).toHaveLength(LIMITS.linesMax);
    expect(items.find(({ productId }) => productId === a)?.quantity).toBe(LIMITS.quantityMax);
    await store.settle("never-heard-of", "returned", LIMITS);
  });

  test("a claim is its owner's alone", async () => {
    const { store, owner, put } = await start();
    const other = newId();
    await put(a, 1);
    await store.put(other, b, 1, MAX);
    const claim = claimOf();
    await store.take(owner, claim);
    expect((await store.take(other, claim)).items).toEqual([]);
    expect(await store.get(other)).toMatchObject({ items: [line(b, 1)], claims: [] });
  });
}
