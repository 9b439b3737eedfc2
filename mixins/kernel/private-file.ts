// Files that hold keys, password hashes and people's data: only the user of this process can read them, whatever the
// umask is and whichever user made the folder.
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** Permission bits of the group and of all other users. */
const OTHERS = 0o077;
/** Suffixes of the files that SQLite puts beside a database, with the database's mode. */
const BESIDE = ["-wal", "-shm", "-journal"];
/** Files in a folder that holds nothing but ours, the folder of mails, and the sockets of operators. A volume has a `lost+found`. */
const OURS = /^lost\+found$|^mail$|^operator-\d+\.sock$|\.(sqlite3?|db)(-\w+)?$/;

/** Makes the file (0600) and its folder (0700) where they are missing, and closes existing ones to other users. */
export function makePrivate(filename: string): void {
  makePrivateFolder(dirname(filename));
  attempt(() => closeSync(openSync(filename, "wx", 0o600)));
  closeToOthers(filename);
}

/**
 * Makes one folder after another (0700): in a place where no folder can be made (`/proc`), Node's recursive option tries for
 * ever (v24.21.0). Throws ENOTDIR for a file.
 */
export function makePrivateFolder(path: string): void {
  if (existsSync(path)) {
    if (!statSync(path).isDirectory()) throw Object.assign(new Error(`${path} is no folder`), { code: "ENOTDIR" });
    return;
  }
  makePrivateFolder(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process that starts at the same time was first.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

/**
 * Takes the permissions of other users from the file and its folder, as far as they exist. A folder that holds other files
 * is left as it is: it may be the system's. A failure is not reported here: opening the file reports it.
 */
export function closeToOthers(filename: string): void {
  const folder = dirname(filename);
  for (const path of exposedOf(filename))
    attempt(() => {
      if (path !== folder || readdirSync(folder).every(name => OURS.test(name)))
        chmodSync(path, statSync(path).mode & 0o777 & ~OTHERS);
    });
}

/** The paths that other users may read or enter: of the file, SQLite's files beside it, and its folder. */
export function exposedOf(filename: string): string[] {
  // Windows has no such permissions: Node makes the modes up.
  if (process.platform === "win32") return [];
  return [dirname(filename), filename, ...BESIDE.map(suffix => filename + suffix)].filter(
    path => ((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & OTHERS) !== 0,
  );
}

/** A file that exists, belongs to another user, or cannot be written is no error here: opening it reports that. */
function attempt(change: () => void): void {
  try {
    change();
  } catch {}
}
