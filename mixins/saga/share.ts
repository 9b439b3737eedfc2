// The sagas that are this node's to drive. A saga lies in the partition of the stream whose event has started it, so the node
// that reads the event drives the saga, and a node that takes the partition over finds it by its row. Like the lease of the
// partition this only saves work: the journal takes an entry only from a driver that has seen all others.
import { partitionOf } from "../stream/siblings.ts";
import type { Saga } from "./define-saga.ts";

/** One saga: its definition, its id, and both as its key (`fulfilment.42`), which is also the name of its stream. */
export interface SagaRef {
  readonly saga: Saga;
  readonly id: string;
  readonly key: string;
}

export interface ShareOptions {
  /** Number of partitions. */
  readonly count: number;
  /** The node that has a partition of a saga's consumer, as far as this one knows. */
  readonly ownerOf: (saga: string, partition: number) => Promise<string | undefined>;
}

export class SagaShare {
  readonly #options: ShareOptions;
  /** By saga, the partitions that this node has. */
  readonly #held = new Map<string, ReadonlySet<number>>();

  constructor(options: ShareOptions) {
    this.#options = options;
  }

  /**
   * The first part of an event's type is its actor. The id is that of the stream, with the event's version where the stream
   * has started another saga before; a stream whose own id ends so is taken for another, and its saga driven elsewhere.
   */
  partitionOf({ saga, id }: Pick<SagaRef, "saga" | "id">): number {
    const [actor] = saga.startedBy.split(".", 1);
    return partitionOf(`${actor}.${id.replace(VERSION, "")}`, this.#options.count);
  }

  isOurs(ref: SagaRef): boolean {
    return this.#held.get(ref.saga.name)?.has(this.partitionOf(ref)) ?? false;
  }

  ownerOf(ref: SagaRef): Promise<string | undefined> {
    return this.#options.ownerOf(ref.saga.name, this.partitionOf(ref));
  }

  /** From now on the node has these partitions. Answers which of them it did not have before, and which it has no more. */
  hold(saga: Saga, partitions: ReadonlySet<number>): { gained: ReadonlySet<number>; left: ReadonlySet<number> } {
    const before = this.#held.get(saga.name) ?? new Set();
    this.#held.set(saga.name, partitions);
    return { gained: partitions.difference(before), left: before.difference(partitions) };
  }
}

const VERSION = /\.\d+$/;
