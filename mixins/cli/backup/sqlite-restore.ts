// Puts SQLite files of a backup in their places.
import { copyFileSync, constants, existsSync, mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { closeToOthers, Misconfigured } from "../../kernel/index.ts";
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

/** Copies all of the files beside their places, then puts them there. `kept` is the suffix of what was there before. */
export function putInPlace(folder: string, targets: readonly Target[], kept: string): void {
  for (const { part, place } of targets) {
    mkdirSync(dirname(place), { recursive: true, mode: 0o700 });
    rmSync(arriving(place), { force: true });
    copyFileSync(join(folder, part.file), arriving(place), constants.COPYFILE_FICLONE);
    sync(arriving(place));
  }
  for (const { place } of targets) {
    for (const suffix of SIDE_FILES) if (existsSync(place + suffix)) renameSync(place + suffix, place + kept + suffix);
    renameSync(arriving(place), place);
    closeToOthers(place);
    sync(dirname(place));
  }
}

const arriving = (place: string): string => `${place}-restoring`;
