// The bytes of an answer that is given many times, compressed once for each encoding.
import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import { httpLimits as limits } from "./limits.ts";
import { compressed, type Encoding } from "./compression.ts";
import { encodingFor, end, JSON_TYPE, NOT_KEPT, sendEncoded } from "./respond.ts";

export class KeptBody {
  readonly bytes: Buffer;
  /** Node writes a text and the header before it with one call of the system, a Buffer with two: a third of a hit. */
  readonly #text: string | undefined;
  readonly #encoded = new Map<Encoding, Buffer | Promise<Buffer>>();

  /** `encoded`: the bytes as they were compressed before. */
  constructor(content: string | Buffer, encoded: Partial<Record<Encoding, Buffer>> = {}) {
    for (const [encoding, bytes] of Object.entries(encoded)) this.#encoded.set(encoding as Encoding, bytes);
    this.bytes = typeof content === "string" ? Buffer.from(content) : content;
    if (typeof content === "string" && this.bytes.length < limits.compressAsideBytes) this.#text = content;
  }

  /** Sends it (200) in the encoding that the client prefers. Not cached by anyone unless `headers` say so. */
  send(res: ServerResponse, headers: OutgoingHttpHeaders = {}): void {
    const all = { "Content-Type": JSON_TYPE, "Cache-Control": NOT_KEPT, ...headers };
    const encoding = encodingFor(res, all, this.bytes.length);
    if (encoding === undefined) end(res, 200, all, this.#text ?? this.bytes);
    else sendEncoded(res, all, encoding, () => this.#in(encoding));
  }

  /** The text as it is written, for no encoding; its bytes, once they are compressed; undefined before. */
  ready(encoding: Encoding | undefined): string | Buffer | undefined {
    if (encoding === undefined) return this.#text ?? this.bytes;
    const encoded = this.#encoded.get(encoding);
    return Buffer.isBuffer(encoded) ? encoded : undefined;
  }

  /** Compressed at the first request for this encoding; others wait for it. */
  #in(encoding: Encoding): Buffer | Promise<Buffer> {
    const known = this.#encoded.get(encoding);
    if (known) return known;
    const bytes = compressed(this.bytes, encoding);
    this.#encoded.set(encoding, bytes);
    if (!Buffer.isBuffer(bytes))
      bytes.then(
        done => this.#encoded.set(encoding, done),
        () => this.#encoded.delete(encoding),
      );
    return bytes;
  }
}
