// Sockets of operators: one a process, in the data folder, so that all processes of a machine that share the folder are found there.
import { readdirSync } from "node:fs";
import { join, relative, resolve } from "node:path";

const NAME = /^operator-(\d+)\.sock$/;

/** Bytes of a path that every system takes (macOS: 104, with the zero at its end). */
const PATH_BYTES_MAX = 103;

/** The socket of a process. Undefined where the system would not take its path. */
export function socketOf(dataDir: string, pid: number): string | undefined {
  const path = resolve(dataDir, `operator-${pid}.sock`);
  // A path from the working folder may be short enough where a whole one is not.
  const shortest = [path, relative("", path)].find(one => Buffer.byteLength(one) <= PATH_BYTES_MAX);
  return process.platform === "win32" ? undefined : shortest;
}

/** Sockets in the folder, also those that processes have left behind which were killed. The latest process first. */
export function socketsIn(dataDir: string): { path: string; pid: number }[] {
  let names: string[];
  try {
    names = readdirSync(dataDir);
  } catch {
    return [];
  }
  const pids = names.flatMap(name => (NAME.test(name) ? [Number(NAME.exec(name)![1])] : []));
  pids.sort((a, b) => b - a);
  return pids.flatMap(pid => {
    const path = socketOf(dataDir, pid);
    return path === undefined ? [] : [{ path, pid }];
  });
}

/** The file, for those who remove what was left behind. */
export const socketFiles = (dataDir: string): string[] =>
  socketsIn(dataDir).map(({ pid }) => join(dataDir, `operator-${pid}.sock`));

/** Whether there is a process of this id, also one of another user. */
export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
