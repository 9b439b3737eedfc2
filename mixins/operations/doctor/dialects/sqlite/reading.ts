// Statements on SQLite files, in a thread: some read a file from end to end, and would hold up the calls of a node.
import { Worker } from "node:worker_threads";
import type { SQLInputValue } from "node:sqlite";
import type { Question, Reply } from "./reader.ts";

interface Waiting {
  readonly resolve: (rows: any[]) => void;
  readonly reject: (error: Error) => void;
}

export class Reading {
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #lastId = 0;
  #isClosed = false;

  /** Rows of one statement. Rejects with SQLite's message. */
  rows<R>(filename: string, sql: string, values: readonly SQLInputValue[] = []): Promise<R[]> {
    return this.#ask({ filename, sql, values });
  }

  /** Lets the file go. */
  async leave(filename: string): Promise<void> {
    if (this.#worker && !this.#isClosed) await this.#ask({ filename, values: [] });
  }

  /** Ends the thread; a statement under way is the last. What waits for an answer is rejected. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#worker?.terminate();
  }

  #ask(question: Omit<Question, "id">): Promise<any[]> {
    if (this.#isClosed) return Promise.reject(new Error("the examination is over"));
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      const worker = (this.#worker ??= this.#start());
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
      worker.postMessage({ id, ...question } satisfies Question);
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL("./reader.ts", import.meta.url));
    let cause: Error | undefined;
    worker.on("error", error => (cause = error as Error));
    worker.on("message", (reply: Reply) => {
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if ("error" in reply) waiting?.reject(new Error(reply.error));
      else waiting?.resolve(reply.rows);
    });
    worker.on("exit", () => {
      this.#worker = undefined;
      const error = cause ?? new Error("the examination is over");
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    });
    return worker;
  }
}
