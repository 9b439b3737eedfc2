// How far an ingress has come in each partition: rows in the service's own database, moved in the transaction that writes its
// dead letters. The calls were made before it, so a crash in between makes them again, under the same command ids.
import type { Knex } from "knex";
import { rfc3339 } from "../../kernel/index.ts";
import type { Database } from "../../database/index.ts";
import { Superseded, type Step } from "../consumer/checkpoint.ts";
import type { Extent } from "./inlets/inlet.ts";
import { partitionOfStream, type Incoming } from "./kept-message.ts";

export interface PlaceKey {
  readonly ingress: string;
  readonly source: string;
}

/** The row of a partition, as it was read or written last. */
interface Place {
  readonly origin: string;
  place: bigint;
  revision: number;
}

/** A move of places, in the transaction at hand. */
interface Moving {
  readonly place: bigint;
  readonly messages: number;
  readonly at: string | undefined;
}

/** A place that is not in its partition any more: messages were removed before they were read, or the topic is another one. */
export interface Lost {
  readonly partition: number;
  readonly why: "removed" | "anew";
  /** Messages that nobody can read now; of a topic that was made anew nobody knows how many there were. */
  readonly messages: bigint | undefined;
}

type PlaceWrite = (trx: Knex.Transaction) => Promise<void>;

export class Places {
  // The retrying of consumers asks a checkpoint for these; a place here is one of its partition.
  readonly cursor = "";
  readonly mark = undefined;
  readonly lost: readonly Lost[];
  readonly #database: Database;
  readonly #key: PlaceKey;
  readonly #places: ReadonlyMap<number, Place>;
  readonly #beside: PlaceWrite;
  #moving: ReadonlyMap<number, Moving> = new Map();

  private constructor(
    database: Database,
    key: PlaceKey,
    places: ReadonlyMap<number, Place>,
    lost: readonly Lost[],
    beside: PlaceWrite,
  ) {
    this.#database = database;
    this.#key = key;
    this.#places = places;
    this.lost = lost;
    this.#beside = beside;
  }

  /** Reads or makes the rows of partitions. `beside` writes in the transaction of each move. */
  static async read(
    database: Database,
    key: PlaceKey,
    extents: ReadonlyMap<number, Extent>,
    beside: PlaceWrite,
  ): Promise<Places> {
    const { knex } = database;
    const first = [...extents].map(([partition, { origin, first }]) => ({
      ...key,
      partition,
      origin,
      place: `${first}`,
      revision: 1,
      messages: 0,
    }));
    if (first.length > 0)
      await knex("ingress_places")
        .insert(first)
        .onConflict(Object.keys(keyOf(key, 0)))
        .ignore();
    const rows: PlaceRow[] = await knex("ingress_places")
      .where(key)
      .whereIn("partition", [...extents.keys()]);
    const lost: Lost[] = [];
    const places = rows.map(({ partition, origin, place, revision }): [number, Place] => {
      const extent = extents.get(partition)!;
      const at = BigInt(place);
      const isAnew = origin !== extent.origin || at > extent.end;
      const isRemoved = !isAnew && at < extent.first;
      if (isAnew || isRemoved)
        lost.push({
          partition,
          why: isAnew ? "anew" : "removed",
          messages: isAnew ? undefined : extent.first - at,
        });
      const next = isAnew || isRemoved ? extent.first : at;
      return [partition, { origin: extent.origin, place: next, revision: Number(revision) }];
    });
    return new Places(database, key, new Map(places), lost, beside);
  }

  /** The next place of each partition. */
  get next(): ReadonlyMap<number, bigint> {
    return new Map([...this.#places].map(([partition, { place }]) => [partition, place]));
  }

  /** The messages that are handled next. */
  begin(messages: readonly Incoming[]): void {
    this.#moving = new Map(
      [...Map.groupBy(messages, ({ partition }) => partition)].map(([partition, own]) => {
        const { place, atMs } = own.at(-1)!;
        return [partition, { place: place + 1n, messages: own.length, at: rfc3339(atMs) }];
      }),
    );
  }

  /** Passes over places that hold no message. */
  async pass(reached: ReadonlyMap<number, bigint>): Promise<void> {
    const ahead = [...reached].filter(([partition, place]) => place > (this.#places.get(partition)?.place ?? place));
    if (ahead.length === 0) return;
    this.#moving = new Map(
      ahead.map(([partition, place]) => [partition, { place, messages: 0, at: undefined }] as const),
    );
    await this.#database.transaction(trx => this.move(trx, {}));
    this.moved();
  }

  /**
   * Moves the rows of the messages that were begun, and of the partitions of streams that were retried: a second node at the
   * same time finds them moved.
   * @throws Superseded
   */
  async move(trx: Knex.Transaction, { retried = [] }: Partial<Step>): Promise<void> {
    for (const partition of this.#touched(retried)) {
      const { revision, place, origin } = this.#places.get(partition)!;
      const { place: to = place, messages = 0, at } = this.#moving.get(partition) ?? {};
      const moved = await trx("ingress_places")
        .where({ ...keyOf(this.#key, partition), revision })
        .update({
          origin,
          place: `${to}`,
          revision: trx.raw("revision + 1"),
          messages: trx.raw("messages + ?", [messages]),
          ...(at !== undefined && { message_at: at }),
        });
      if (moved === 0) throw new Superseded({ consumer: this.#key.ingress, source: this.#key.source });
    }
    await this.#beside(trx);
  }

  /** The transaction of `move` has committed. */
  moved({ retried = [] }: Partial<Step> = {}): void {
    for (const partition of this.#touched(retried)) {
      const row = this.#places.get(partition)!;
      row.revision++;
      row.place = this.#moving.get(partition)?.place ?? row.place;
    }
    this.#moving = new Map();
  }

  /** In one order, so that two nodes do not wait for each other. */
  #touched(retried: readonly string[]): number[] {
    const partitions = new Set([...this.#moving.keys(), ...retried.map(partitionOfStream)]);
    // A dead letter may be of a partition that the topic of today has not.
    return [...partitions].filter(partition => this.#places.has(partition)).sort((a, b) => a - b);
  }
}

const keyOf = (key: PlaceKey, partition: number) => ({ ...key, partition });

/** A row of the table. */
export interface PlaceRow {
  readonly ingress: string;
  readonly source: string;
  readonly partition: number;
  readonly origin: string;
  readonly place: string;
  readonly revision: number | string;
  readonly messages: number | string;
  readonly message_at: string | null;
}
