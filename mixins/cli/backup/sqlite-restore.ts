// Puts SQLite files of a backup in their places.
import { copyFileSync, constants, existsSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { closeToOthers, makePrivateFolder, Misconfigured } from "../../kernel/index.ts";
import { restoringOf } from "../../database/index.ts";
import { isOpenElsewhere, SIDE_FILES } from "../sqlite-files.ts";
import { sync, type Part } from "./manifest.ts";

/** A part, and the file that it becomes. */
export interface Target {
  readonly part: Part;
  readonly place: string;
  readonly isTaken: boolean;
}

/** Whether something is there, also a log of SQLite alone, which would be taken for that of the new file. */
export const isTaken = (place: string): boolean =>
  SIDE_FILES.some(suffix => (statSync(place + suffix, { throwIfNoEntry: false })?.size ?? 0) > 0);

/** Throws Misconfigured when a process works on the file. */
export function assertClosed({ place }: Target): void {
  if (existsSync(place) && isOpenElsewhere(place))
    throw new Misconfigured(`nothing was restored: a node is running on ${place}. Stop it first`);
}

/**
 * Copies all of the files beside their places, then puts them there. `kept` is the suffix of what was there before. Until a file is in
 * its place the copy lies beside it, and a start refuses it: one that is cut off shows.
 */
export function putInPlace(folder: string, targets: readonly Target[], kept: string): void {
  try {
    for (const { part, place } of targets) {
      makePrivateFolder(dirname(place));
      rmSync(restoringOf(place), { force: true });
      copyFileSync(join(folder, part.file), restoringOf(place), constants.COPYFILE_FICLONE);
      sync(restoringOf(place));
      sync(dirname(place));
    }
  } catch (error) {
    // Nothing is in its place yet, as on a disk that is full.
    for (const { place } of targets) rmSync(restoringOf(place), { force: true });
    throw new Misconfigured(`nothing was restored: ${(error as Error).message}`);
  }
  for (const { place } of targets) {
    for (const suffix of SIDE_FILES) if (existsSync(place + suffix)) renameSync(place + suffix, place + kept + suffix);
    renameSync(restoringOf(place), place);
    closeToOthers(place);
    sync(dirname(place));
  }
}
