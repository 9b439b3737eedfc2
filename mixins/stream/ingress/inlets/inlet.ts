// An inlet is the way in from one topic of Kafka, or one subject of JetStream. It remembers nothing: places are kept by the
// ingress, in its own database, and say where a feed begins.
import type { Incoming } from "../kept-message.ts";

/** The messages that a partition has, by their places: from `first` on, up to but without `end`. */
export interface Extent {
  /** Another one for a topic or stream that was made anew: places in the old one mean nothing in it. */
  readonly origin: string;
  readonly first: bigint;
  readonly end: bigint;
}

export interface Inlet {
  /** `kafka:printer.deliveries` */
  readonly source: string;
  /**
   * The partitions with what they have. Makes the topic or stream where there is none. Rejects with an Error whose message
   * says why it cannot be read now; STREAM_MISSING or TOPIC_MISSING where this node may not make it.
   */
  extents(): Promise<ReadonlyMap<number, Extent>>;
  /** Reads partitions, each from a place on. */
  open(places: ReadonlyMap<number, bigint>, extents: ReadonlyMap<number, Extent>): InletFeed;
}

export interface InletFeed {
  /**
   * The next messages, those of a partition in order; empty after a while when there are none. Rejects once the bus fails: then
   * another feed has to be opened.
   */
  next(): Promise<readonly Incoming[]>;
  /** How far partitions are read of which nothing waits to be taken: what lay there was no message. */
  reached(): ReadonlyMap<number, bigint>;
  close(): void;
}
