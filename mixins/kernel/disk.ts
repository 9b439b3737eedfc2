// Whether the disk under a folder has room. A database whose disk is full stops taking commands.
import { statfs } from "node:fs/promises";
import type { DependencyState } from "./dependencies.ts";

const MB = 1_048_576;

/** Free space from which on a disk is a warning or a failure: whichever of share and bytes is reached first. */
export const DISK_LIMITS = {
  warn: { share: 0.1, bytes: 1_024 * MB },
  fail: { share: 0.03, bytes: 256 * MB },
} as const;

export interface DiskSpace {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** The space that this process may still use on the disk of a folder or file. Rejects where the path is not there. */
export async function diskSpace(path: string): Promise<DiskSpace> {
  const { bavail, blocks, bsize } = await statfs(path);
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
}

export function diskState(path: string, { freeBytes, totalBytes }: DiskSpace): DependencyState {
  const isBelow = ({ share, bytes }: { share: number; bytes: number }): boolean =>
    freeBytes < share * totalBytes || freeBytes < bytes;
  const percent = Math.floor((freeBytes / totalBytes) * 100);
  const message = `${path}: ${percent} % free, ${Math.round(freeBytes / MB).toLocaleString("en")} MB`;
  const figures = { freeBytes, totalBytes };
  const advice = "make room or grow the volume: archive what has ended, remove old logs and copies";
  if (isBelow(DISK_LIMITS.fail)) return { status: "FAIL", message, advice, figures };
  return isBelow(DISK_LIMITS.warn) ? { status: "warn", message, advice, figures } : { status: "ok", message, figures };
}
