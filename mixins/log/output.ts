// Stdout as the log writes to it. A line is with the system before the call that logs it returns: a process that is killed the
// next moment has lost none. Only while a reader of a pipe is slow do lines wait here, up to a bound; what does not fit is
// dropped, and counted in the next line that is written. So no reader stops the loop, or lets memory grow.
//
// The alternatives lose one or the other. Pino's asynchronous destination has lost the lines of the last moment after a crash;
// its synchronous one sleeps on the loop for as long as the pipe is full.
import { writeSync } from "node:fs";
import { limits } from "./limits.ts";

export interface OutputOptions {
  readonly fd: number;
  /** Makes a line of JSON into text for people. Default: it stays JSON. */
  readonly format?: ((line: string) => string) | undefined;
}

export class Output {
  readonly #fd: number;
  readonly #format: (line: string) => string;
  /** Lines that wait, with their bytes in all. The first may be written in part. */
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #collected: string[] = [];
  #collectedBytes = 0;
  #retry: NodeJS.Timeout | undefined;
  #timer: NodeJS.Timeout | undefined;
  #dropped = 0;

  constructor({ fd, format = line => line }: OutputOptions) {
    this.#fd = fd;
    this.#format = format;
  }

  /** Lines that were dropped since the last one that was written. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Writes a line of JSON, which ends in a line break. */
  write(line: string): void {
    this.#writeCollected();
    this.#write([line]);
  }

  /** Writes a line within half a second, with others: for lines of which there are thousands. A crash loses them. */
  collect(line: string): void {
    this.#collected.push(line);
    this.#collectedBytes += line.length;
    if (this.#collectedBytes >= limits.collectedBytes) this.#writeCollected();
    else this.#timer ??= setTimeout(() => this.#writeCollected(), limits.collectedMs).unref();
  }

  /** Writes all that waits, for half a second at most. It blocks: for the end of a process. */
  flush(): void {
    this.#writeCollected();
    const end = performance.now() + limits.exitMs;
    while (this.#waiting.length > 0 && !this.#drain() && performance.now() < end) Atomics.wait(SLEEP, 0, 0, 5);
  }

  #writeCollected(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const lines = this.#collected;
    if (lines.length === 0) return;
    [this.#collected, this.#collectedBytes] = [[], 0];
    this.#write(lines);
  }

  #write(lines: readonly string[]): void {
    const [first, ...others] = lines as readonly [string, ...string[]];
    const told = this.#dropped > 0 ? [`${first.slice(0, -2)},"dropped":${this.#dropped}}\n`, ...others] : lines;
    const bytes = Buffer.from(told.map(this.#format).join(""));
    if (this.#waitingBytes + bytes.length > limits.waitingBytesMax) {
      this.#dropped += lines.length;
      return;
    }
    this.#dropped = 0;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    // The timer of a full pipe tries again: each line would cost a call of the system in vain.
    if (!this.#retry) this.#drain();
  }

  /** Writes what waits; false when the reader takes no more now. */
  #drain(): boolean {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    try {
      for (let first = this.#waiting[0]; first; first = this.#waiting[0]) {
        const written = writeSync(this.#fd, first);
        this.#waitingBytes -= written;
        if (written < first.length) this.#waiting[0] = first.subarray(written);
        else this.#waiting.shift();
      }
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") {
        this.#retry = setTimeout(() => this.#drain(), limits.retryMs).unref();
        return false;
      }
      // Nobody reads stdout any more, or its disk is full. That ends no process; the lines are lost.
      this.#dropped += this.#waiting.length;
      [this.#waiting, this.#waitingBytes] = [[], 0];
      return true;
    }
  }
}

const SLEEP = new Int32Array(new SharedArrayBuffer(4));
