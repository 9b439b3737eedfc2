import { minutes } from "../../kernel/index.ts";

/** Limits of an ingress, beside those of every consumer. */
export const INGRESS_LIMITS = {
  /** Messages handled and committed at once, and their bytes: a batch is in memory, and waits for its slowest message. */
  batch: 200,
  batchBytes: 4 * 1_024 * 1_024,
  /** Messages, and bytes, that are read ahead of the batch at hand; the others wait on the bus. */
  ahead: 500,
  aheadBytes: 8 * 1_024 * 1_024,
  /** Milliseconds after which a wait for messages ends, so that retries and a pause are looked at. */
  waitMs: 500,
  /** Milliseconds until a bus that failed is tried again, doubled up to the maximum. */
  retryMinMs: 200,
  retryMaxMs: 5_000,
  /** Milliseconds between two looks whether an operator has paused the ingress. */
  lookMs: 1_000,
  /** Milliseconds between two looks whether the topic has other partitions than were begun. */
  partitionsMs: 5_000,
  /** Bounds of a stream of JetStream that an ingress makes; one that is there is left alone. */
  streamBytes: 64 * 1_024 * 1_024,
  streamAgeMs: minutes(7 * 24 * 60),
} as const;
