// A map through which everything passes and where nothing stays.
//
// A plain Map or Set makes such things outlive the collector's cheap rounds. Each insertion into a full table makes a new
// one, and V8 links the old table to it. Once a table is old enough to be collected only by a full collection, it keeps the
// next one, with all that was under way when that one became full, and so on: garbage, but all of it copied, made old, and
// marked. Requests to the HTTP server left 4,400 bytes each behind in this way, and leave 520; commands over the gateway
// 24,000, and leave 7,400, of which the actor stays. So the table holds a box for each value, and the box is emptied when
// its value leaves.
/**
 * Everything that is under way, by key, with the calls of a Map. For whatever each request puts in and takes out again; keys are texts,
 * numbers, or objects that live longer than their values, such as connections.
 */
export class InFlight<K, V> {
  readonly #boxes = new Map<K, { value: V | undefined }>();

  /** How many are under way. */
  get size(): number {
    return this.#boxes.size;
  }

  /** Undefined for a key that is not under way. */
  get(key: K): V | undefined {
    return this.#boxes.get(key)?.value;
  }

  /** Puts the value in, in place of the one that the key had. */
  set(key: K, value: V): void {
    const box = this.#boxes.get(key);
    if (box) box.value = value;
    else this.#boxes.set(key, { value });
  }

  /** Takes the value out, if it is there. */
  delete(key: K): void {
    const box = this.#boxes.get(key);
    if (!box) return;
    box.value = undefined;
    this.#boxes.delete(key);
  }

  /** Takes all out. */
  clear(): void {
    for (const key of this.#boxes.keys()) this.delete(key);
  }

  /** In the order in which their keys came. */
  *values(): Generator<V> {
    for (const { value } of this.#boxes.values()) yield value!;
  }
}
