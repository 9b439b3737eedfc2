// Bounds the answers of all pages that are sent at once: each holds a page in memory, and reads on as fast as its client.
import type { ServerResponse } from "node:http";
import { gatewayErrors } from "../errors.ts";
import { limits } from "../limits.ts";

export class Downloads {
  readonly #open = new Set<ServerResponse>();

  get size(): number {
    return this.#open.size;
  }

  /** Takes a place until the response has ended. Refuses (503) one too many. */
  take(res: ServerResponse): void {
    if (this.#open.size >= limits.downloadsMax)
      throw gatewayErrors.SATURATED({ message: "too many downloads at once", retryAfterMs: 10_000 });
    if (res.closed) return;
    this.#open.add(res);
    res.once("close", () => this.#open.delete(res));
  }
}
