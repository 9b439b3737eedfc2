// The loop's end of the writer thread: requests out, answers in, and what happens when the thread dies.
//
// A thread that dies leaves the outcome of the batch in flight unknown. Only re-submitting the same batch resolves it:
// a look-up alone may say "not there" while the dying connection still commits, but a new transaction waits for that
// one. So everything pending goes to a new thread as it was. A committed append comes back as `duplicate`, with the
// recorded answer; everything else we ask for is a read, or has the same effect the second time.
import { Worker } from "node:worker_threads";
import { Bug, InFlight, type Unavailable } from "../../../kernel/index.ts";
import { storeErrors } from "../../errors.ts";
import { limits } from "../../limits.ts";
import type { Operation, Request, Requests, Response, WireError } from "./wire.ts";

interface Pending {
  readonly request: Request;
  readonly resolve: (result: any) => void;
  readonly reject: (error: Error) => void;
  /** The thread that has it, and how many have had it. */
  worker: Worker | undefined;
  threads: number;
}
/** Called at each death of the thread, with its cause. */
export type DeathObserver = (cause: Error) => void;

export class WriterThread {
  readonly #filename: string;
  readonly #onDeath: DeathObserver;
  readonly #pending = new InFlight<number, Pending>();
  readonly #arrived: Response[] = [];
  #worker: Worker | undefined;
  #lastId = 0;
  #reopening = false;
  #closing = false;

  constructor(filename: string, onDeath: DeathObserver) {
    this.#filename = filename;
    this.#onDeath = onDeath;
  }

  /** Resolves when the file is open. Throws Bug when it cannot be. */
  async open(): Promise<void> {
    const worker = new Worker(new URL("./writer.ts", import.meta.url), { workerData: { filename: this.#filename } });
    let cause: Error | undefined;
    worker.on("error", error => (cause = error as Error));
    await new Promise<void>((resolve, reject) => {
      worker.once("message", (response: Response) => {
        if ("refused" in response) return reject(new Bug(response.refused.type, response.refused.message));
        worker.on("message", (response: Response) => this.#receive(response));
        resolve();
      });
      worker.once("exit", code => reject(cause ?? new Error(`the writer thread ended with code ${code}`)));
    });
    this.#worker = worker;
    worker.on("exit", code => this.#died(cause ?? new Error(`the writer thread ended with code ${code}`)));
    // An open store alone does not keep the process alive; a request does.
    worker.unref();
  }

  request<O extends Operation>(op: O, ...args: Requests[O]["args"]): Promise<Requests[O]["result"]> {
    if (this.#closing && op !== "close") return Promise.reject(storeErrors.STORE_CLOSED());
    return new Promise((resolve, reject) => {
      const request = { id: ++this.#lastId, op, args } as Request;
      const pending: Pending = { request, resolve, reject, worker: undefined, threads: 0 };
      this.#pending.set(request.id, pending);
      if (this.#worker) this.#post(pending, this.#worker);
      else this.#reopen();
    });
  }

  /** After the first time it does nothing. A thread that is gone has closed its file. */
  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    if (this.#worker || this.#reopening) await this.request("close");
  }

  #post(pending: Pending, worker: Worker): void {
    if (pending.worker === worker) return;
    pending.worker = worker;
    pending.threads += 1;
    worker.ref();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    worker.postMessage(pending.request);
  }

  /**
   * Answers are handed on once a turn of the loop. A message port delivers what arrives while it delivers, up to a
   * thousand messages, and a request that each answer causes would be answered within: sockets and timers would starve.
   */
  #receive(response: Response): void {
    if (this.#arrived.push(response) === 1) setImmediate(() => this.#deliver());
  }

  #deliver(): void {
    for (const response of this.#arrived.splice(0)) {
      const pending = "id" in response ? this.#pending.get(response.id) : undefined;
      if (!pending) continue;
      this.#pending.delete(pending.request.id);
      if ("error" in response) pending.reject(unavailable(response.error));
      else if ("result" in response) pending.resolve(response.result);
    }
    if (this.#pending.size === 0) this.#worker?.unref();
  }

  #died(cause: Error): void {
    this.#worker = undefined;
    this.#deliver();
    if (this.#closing && this.#pending.size === 0) return;
    this.#onDeath(cause);
    // A request that several threads have died with is probably the cause.
    this.#fail(cause, pending => pending.threads >= limits.resubmissions);
    if (this.#pending.size > 0) this.#reopen();
  }

  #reopen(): void {
    if (this.#reopening) return;
    this.#reopening = true;
    this.open()
      .then(
        () => {
          for (const pending of this.#pending.values()) this.#post(pending, this.#worker!);
        },
        (error: Error) => this.#fail(error, () => true),
      )
      .finally(() => (this.#reopening = false));
  }

  #fail(cause: Error, which: (pending: Pending) => boolean): void {
    for (const pending of this.#pending.values()) {
      if (!which(pending)) continue;
      this.#pending.delete(pending.request.id);
      const outcome = pending.threads > 0 && pending.request.op === "commit" ? "unknown" : "none";
      pending.reject(unavailable({ type: "STORE_UNAVAILABLE", message: cause.message, outcome }, cause));
    }
  }
}

const unavailable = ({ type, message, outcome }: WireError, cause?: Error): Unavailable =>
  (type === "COMMIT_FAILED" ? storeErrors.COMMIT_FAILED : storeErrors.STORE_UNAVAILABLE)({ message, outcome, cause });
