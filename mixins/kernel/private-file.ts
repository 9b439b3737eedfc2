// Files that hold keys, passwords' hashes and people's data: for the user that runs this alone, whatever the umask is and
// whoever made the folder.
import { chmodSync, closeSync, mkdirSync, openSync, readdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** The bits that let others in: those of the group and of everybody. */
const OTHERS = 0o077;
/** What SQLite puts beside a file, with the file's own mode. */
const BESIDE = ["-wal", "-shm", "-journal"];
/** What lies in a folder that is ours alone. A volume of its own has a `lost+found`. */
const OURS = /^lost\+found$|\.(sqlite3?|db)(-\w+)?$/;

/** Makes the file and its folder where they are missing, 0600 and 0700, and closes what there is to others. */
export function makePrivate(filename: string): void {
  mkdirSync(dirname(filename), { recursive: true, mode: 0o700 });
  attempt(() => closeSync(openSync(filename, "wx", 0o600)));
  closeToOthers(filename);
}

/**
 * Takes from the file and its folder, as far as they are there, what lets others in. A folder in which something else lies
 * is left as it is: it may be the system's. Failures are left to whoever opens the file.
 */
export function closeToOthers(filename: string): void {
  const folder = dirname(filename);
  for (const path of exposedOf(filename))
    attempt(() => {
      if (path !== folder || readdirSync(folder).every(name => OURS.test(name)))
        chmodSync(path, statSync(path).mode & 0o777 & ~OTHERS);
    });
}

/** Which of the file, what SQLite puts beside it, and its folder others may read or enter. */
export function exposedOf(filename: string): string[] {
  // Its modes are made up there.
  if (process.platform === "win32") return [];
  return [dirname(filename), filename, ...BESIDE.map(suffix => filename + suffix)].filter(
    path => ((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & OTHERS) !== 0,
  );
}

/** It is there already, or another's, or on a file system that cannot be written: opening it says so. */
function attempt(change: () => void): void {
  try {
    change();
  } catch {}
}
