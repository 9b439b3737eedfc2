// A folder in memory, for the files of a server that has nothing to outlive: where files are made and removed by the
// hundred, as Postgres does for each new database, that costs half as much there as on a disk.
import { existsSync, readdirSync, readFileSync, rmSync, statfsSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const SHARED_MEMORY = "/dev/shm";
/** Bytes that have to be free, there and in memory: several times what the Postgres server of a whole run needs. */
const FREE_BYTES_MIN = 3 * 1024 ** 3;
/** Milliseconds until what a killed run has left counts as left: a server that is just being made has no process yet. */
const LEFT_AFTER_MS = 10 * 60_000;

/** The folder in memory, or the one for temporary files where there is none (a container has 64 MB) or no room. */
export function fastFolder(): string {
  if (!existsSync(SHARED_MEMORY)) return tmpdir();
  removeLeft(SHARED_MEMORY);
  const { bavail, bsize } = statfsSync(SHARED_MEMORY);
  return Math.min(bavail * bsize, process.availableMemory()) < FREE_BYTES_MIN ? tmpdir() : SHARED_MEMORY;
}

/** Files in memory that nobody removes take it until the machine starts anew. */
export function removeLeft(folder: string): void {
  for (const name of readdirSync(folder).filter(name => /^postgres-\w{6}$/.test(name))) {
    const path = join(folder, name);
    try {
      if (Date.now() - statSync(path).mtimeMs > LEFT_AFTER_MS && !isServed(path)) rmSync(path, { recursive: true });
    } catch {
      // Another user's, or another run has removed it.
    }
  }
}

/** Whether the Postgres server of this folder runs. */
function isServed(path: string): boolean {
  try {
    return process.kill(Number(readFileSync(join(path, "data/postmaster.pid"), "utf8").split("\n")[0]), 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
