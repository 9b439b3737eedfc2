// A copy of a SQLite file that was made without its write-ahead log, as `cp *.sqlite` under load makes it, is whole to
// SQLite and lacks the transactions of the log: everything since the start, it may be, and then it opens without a row. So the
// file says by itself whether its log belongs to it, in one row of two numbers:
//
//   armed  is raised, and moved into the file by a checkpoint
//   seen   is set to it by the next transaction, which lies in the log
//
// A reader of both file and log finds them equal: a process after a kill -9, a backup by SQLite, a closed file. The file
// alone has a higher `armed`, until a checkpoint of SQLite's own moves the rest: from then on a copy of the file alone is
// an older state of it, whole, and readers whose place lies past its end find out (event-store/marks.ts).
//
// A crash between the two leaves the log beside the file, which is proof enough: only where there is none is it missed.
import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";

/**
 * To arm an open file in WAL mode: ARM in a transaction, `checkpoint`, SEEN in a transaction, which runs once more before
 * the file is closed: an arming that was cut short, as by a full disk, must not outlast it. A step that fails is left
 * out: then a copy is not recognised, and nothing else. A checkpoint that a reader holds up leaves the file as it was
 * before.
 */
export const ARM = `create table if not exists file_state (armed integer not null, seen integer not null);
  insert into file_state select 0, 0 where not exists (select 1 from file_state);
  update file_state set armed = armed + 1`;
export const SEEN = "update file_state set seen = armed where seen <> armed";

/** Moves the log into the file and empties it. A failure only puts this off: a commit meets the cause, if it stays. */
export function checkpoint(database: DatabaseSync): void {
  try {
    database.exec("pragma wal_checkpoint(truncate)");
  } catch {
    // A reader in the way, or a full disk.
  }
}

/** Whether a file lacks a log that belongs to it. Looks at the file alone, and changes nothing. */
export function isTornCopy(filename: string): boolean {
  if (existsSync(`${filename}-wal`) || !statSync(filename, { throwIfNoEntry: false })?.size) return false;
  const url = pathToFileURL(resolve(filename));
  // As it lies there: without this SQLite would make a log beside it.
  url.searchParams.set("immutable", "1");
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(url, { readOnly: true });
    return database.prepare("select 1 from file_state where armed <> seen").get() !== undefined;
  } catch {
    // No table: of an older release, or no file of ours.
    return false;
  } finally {
    database?.close();
  }
}

/** Name under which a restore copies a file beside its place, before it puts all of them in their places. */
export const restoringOf = (filename: string): string => `${filename}-restoring`;

/**
 * Why a file must not be opened, with what to do about it; undefined for one that may. Besides a torn copy, a file of a restore that was
 * cut off: it is not of one moment with the others, and where it is missing it would be made anew, and empty.
 */
export const whyNotWhole = (filename: string): string | undefined =>
  existsSync(restoringOf(filename))
    ? `a restore of ${filename} was cut off: ${restoringOf(filename)} is still there. Run it again with --replace, or, if nothing of it ` +
      "is to stay, put the files `*-replaced_*` back and remove the files `*-restoring`"
    : isTornCopy(filename)
      ? tornCopyMessage(filename)
      : undefined;

const tornCopyMessage = (filename: string): string =>
  `${filename} is a copy that was made without its write-ahead log, ${filename}-wal, and lacks the transactions in it. ` +
  "Copy that file too, from a process that has stopped (docs/restore.md); to go on with less: npm run accept-copy";
