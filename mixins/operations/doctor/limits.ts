import { minutes, seconds } from "../../kernel/index.ts";
import { LAG_LIMITS_MS } from "../../stream/siblings.ts";

/** Numbers from which on a finding is a warning or a failure. */
export const limits = {
  /** Milliseconds that a transaction with writes may be open. Readers of every log wait for it. */
  writingMs: { warn: seconds(5), fail: seconds(30) },
  /** Milliseconds that a transaction may hold a snapshot. Only the removal of dead rows waits for it. */
  snapshotMs: minutes(10),
  /** Transactions by which a standby or a replication slot may delay the removal of dead rows. */
  horizonTransactions: 10_000_000,
  /** Bytes of WAL that a replication slot without a reader may keep. */
  slotBytes: 1024 ** 3,
  /** Milliseconds that the oldest event may wait for its consumer. */
  lagMs: LAG_LIMITS_MS,
  /** Events counted after a checkpoint, at most; there may be more. */
  lagEvents: 100_000,
  /** Shares of the server's connections that may be open. */
  connections: { warn: 0.8, fail: 0.95 },
  /** Milliseconds that a session may wait for a lock. */
  lockMs: seconds(5),
  /** Milliseconds by which this machine's clock may differ from the server's. */
  clockMs: seconds(1),
  /** Milliseconds that a read replica may be behind: beyond that it is not read. */
  replicaMs: seconds(2),
  /** Bytes of a SQLite file's WAL. The store empties it from 256 MB on. */
  walBytes: 300 * 1024 ** 2,
  /** Milliseconds that JetStream should keep a message at least: consumers may be away for a night. */
  streamAgeMs: minutes(60 * 12),
  /** Milliseconds that a record of the audit may wait for a checkpoint, or three of its periods; and a checkpoint for the anchor. */
  unsignedMs: minutes(60),
  unanchoredMs: minutes(15),
  /** Milliseconds that a mail may wait for a server that does not take it, and that one may be due: it is looked for every 15 s. */
  mailsWaitMs: minutes(60),
  mailsDueMs: minutes(15),
  /** Milliseconds for which a mail that was given up is told. */
  givenUpMs: minutes(60 * 24),
  /** Streams that one statement examines, and events that one statement reads. */
  streams: 1_000,
  events: 1_000,
  /** Examples in one line. */
  examples: 3,
} as const;
