// Keeps the process alive when its log cannot be written: the reader goes away (`npm start | head`), the disk is full,
// the terminal is closed. What is written then is lost.
import { fstatSync, writeSync } from "node:fs";

export function outliveOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    // Without a listener the error would end the process.
    stream.on("error", () => {});
    if (isFile(stream.fd)) stream.write = writerTo(stream.fd);
  }
}

/** Node writes to a file at once, but stops after the first error, even when the disk has room again. */
const writerTo =
  (fd: number): typeof process.stdout.write =>
  (chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
    const [encoding] = rest;
    const done = rest.find(argument => typeof argument === "function") as (() => void) | undefined;
    try {
      const bytes = typeof chunk === "string" ? Buffer.from(chunk, encoding as BufferEncoding) : chunk;
      for (let written = 0; written < bytes.length;) written += writeSync(fd, bytes, written);
    } catch {
      // The line is lost.
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
