// A log is no reason to stop serving. Its reader goes away (`npm start | head`), its disk is full, its terminal is closed:
// what is written then is lost, and nothing else.
import { fstatSync, writeSync } from "node:fs";

export function outliveOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    // Without a listener the error would end the process.
    stream.on("error", () => {});
    if (isFile(stream.fd)) stream.write = writerTo(stream.fd);
  }
}

/** Node writes to files at once, but gives one up after its first error, also when the disk has room again. */
const writerTo =
  (fd: number): typeof process.stdout.write =>
  (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
    const [encoding] = rest;
    const done = rest.find(argument => typeof argument === "function") as (() => void) | undefined;
    try {
      const bytes = typeof chunk === "string" ? Buffer.from(chunk, encoding as BufferEncoding) : chunk;
      for (let written = 0; written < bytes.length;) written += writeSync(fd, bytes, written);
    } catch {
      // Lost.
    }
    if (done) process.nextTick(done);
    return true;
  };

function isFile(fd: number): boolean {
  try {
    const stat = fstatSync(fd);
    return stat.isFile() || stat.isCharacterDevice();
  } catch {
    return false;
  }
}
