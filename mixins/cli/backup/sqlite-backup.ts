// Copies SQLite files at one moment, while processes work on them.
//
// Each service has a file of its own, and they depend on each other in a circle: a consumer's checkpoint must not be past the
// log that it reads, and a step that a saga knows as done must be in the log of the actor that did it. No order of copying
// one file after another is right for all of them. So there is one moment for all:
//
//   1. take the write lock of every file: nothing commits anywhere
//   2. begin to read every file: a reader of a file in WAL mode keeps seeing this state
//   3. give the locks back, after a few milliseconds
//   4. copy what the readers see, for as long as it takes
//
// The copies are what a power cut at that moment would have left. While they are made the write-ahead logs grow, since
// SQLite cannot begin them anew before the readers have ended.
import { randomInt } from "node:crypto";
import { backup, DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { SEEN, whyNotWhole } from "../../database/index.ts";
import { isBusy, LockQueue } from "../../database/siblings.ts";
import { makePrivate, Misconfigured } from "../../kernel/index.ts";
import type { Positions } from "./manifest.ts";

const limits = {
  /**
   * Milliseconds to wait for one lock while the others are held: a statement of a service waits 5 s. A transaction that
   * waits for another file, which is locked here, would never end.
   */
  lockMs: 1_000,
  attempts: 10,
  /** Most milliseconds between two attempts, in which the services go on. */
  pauseMs: 500,
  /** Pages of 4 kB that one step copies, between which the command can tell how far it is. */
  stepPages: 2_048,
};

/** Files at one moment, each under its key. */
export interface Cut {
  /** The moment. */
  readonly at: Date;
  /** Milliseconds for which nothing could commit. */
  readonly heldMs: number;
  readonly readers: ReadonlyMap<string, DatabaseSync>;
  close(): void;
}

/**
 * Calls back while nothing can commit to any of the files. Throws Misconfigured for a file that lacks its log, or one that
 * somebody keeps locked.
 */
export async function cutOf(
  files: ReadonlyMap<string, string>,
  whileHeld: () => Promise<void> = async () => {},
): Promise<Cut> {
  for (const file of files.values()) {
    const reason = whyNotWhole(file);
    if (reason !== undefined) throw new Misconfigured(reason);
  }
  for (let attempt = 1; ; attempt++)
    try {
      return await cut(files, whileHeld);
    } catch (error) {
      if (!(error instanceof StillLocked)) throw error;
      if (attempt === limits.attempts)
        throw new Misconfigured(`${error.place} is locked by a transaction that does not end: nothing was copied`);
      await sleep(randomInt(limits.pauseMs));
    }
}

/** A transaction of a service held a lock for too long: another attempt may succeed. */
export class StillLocked extends Error {
  readonly place: string;
  constructor(place: string, cause: unknown) {
    super(`${place} is locked`, { cause });
    this.place = place;
  }
}

async function cut(files: ReadonlyMap<string, string>, whileHeld: () => Promise<void>): Promise<Cut> {
  const lockers: DatabaseSync[] = [];
  const readers = new Map<string, DatabaseSync>();
  const close = (): void => {
    for (const reader of readers.values()) reader.close();
  };
  try {
    for (const [key, file] of files) {
      lockers.push(new DatabaseSync(file, { timeout: 0 }));
      readers.set(key, new DatabaseSync(file, { timeout: 0 }));
    }
    const begun = performance.now();
    // Not at once: what is still running when one of them fails would hold its lock for ever.
    for (const [i, file] of [...files.values()].entries())
      await new LockQueue(limits.lockMs)
        .run(() => lockers[i]!.exec("begin immediate"), { inTurn: false })
        .catch((error: unknown) => {
          throw isBusy(error)
            ? new StillLocked(file, error)
            : new Misconfigured(`${file}: ${(error as Error).message}`);
        });
    for (const reader of readers.values()) reader.exec("begin; select 1 from sqlite_schema");
    await whileHeld();
    const at = new Date();
    for (const locker of lockers) locker.exec("rollback");
    return { at, heldMs: performance.now() - begun, readers, close };
  } catch (error) {
    close();
    throw error;
  } finally {
    for (const locker of lockers) locker.close();
  }
}

/** Writes what the reader sees to a new file. Throws Misconfigured when that is damaged. */
export async function copyTo(
  path: string,
  reader: DatabaseSync,
  onProgress: (done: number, total: number) => void,
): Promise<Positions> {
  // Before there is a byte in it.
  makePrivate(path);
  await backup(reader, path, {
    rate: limits.stepPages,
    progress: ({ totalPages, remainingPages }) => onProgress(totalPages - remainingPages, totalPages),
  });
  const copy = new DatabaseSync(path);
  try {
    // One file, with nothing beside it.
    copy.exec("pragma journal_mode=delete");
    const tables = tablesOf(copy);
    // Of a start that was between its two steps: see torn.ts.
    if (tables.has("file_state")) copy.exec(SEEN);
    const [found] = Object.values(copy.prepare("pragma quick_check(1)").get()!);
    if (found !== "ok") throw new Misconfigured(`${reader.location()} is damaged: ${String(found)}`);
    return positionsOf(copy, tables);
  } finally {
    copy.close();
  }
}

const tablesOf = (database: DatabaseSync): ReadonlySet<string> =>
  new Set(
    database
      .prepare("select name from sqlite_schema where type = 'table'")
      .all()
      .map(({ name }) => String(name)),
  );

function positionsOf(database: DatabaseSync, tables: ReadonlySet<string>): Positions {
  const rows = <R>(sql: string): R[] => database.prepare(sql).all() as R[];
  const [log] = tables.has("log_identity") ? rows<{ identity: string }>("select identity from log_identity") : [];
  const [newest] = log ? rows<{ seq: number }>("select seq from sqlite_sequence where name = 'events'") : [];
  const checkpoints = tables.has("checkpoints")
    ? rows<Positions["checkpoints"][number]>(
        "select consumer, source, partition, cursor from checkpoints order by consumer, source, partition",
      )
    : [];
  return {
    ...(log && { log: { identity: log.identity, head: `${newest?.seq ?? 0}` } }),
    checkpoints: checkpoints.map(row => ({ ...row })),
  };
}
