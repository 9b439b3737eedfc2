// Where an image's bytes come from: an https address, or a file of ours. An address is chosen by an author of data, and
// may lead anywhere: so what it leads to is looked at, and is the one that is connected to (see `networks.ts`); redirects are
// not followed; bytes and time are bounded; and the type is what the first bytes say.
import { lookup, type LookupAddress } from "node:dns";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { join, resolve, sep } from "node:path";
import { buffer } from "node:stream/consumers";
import type { Networks } from "../../stream/siblings.ts";
import { imageLimits as limits } from "./image-limits.ts";

export interface Original {
  readonly bytes: Buffer;
  /** `image/jpeg` */
  readonly type: string;
}
export interface OriginalsOptions {
  readonly networks: Networks;
  /** Folder of files whose address begins with `/`; undefined for none. */
  readonly folder: string | undefined;
}

export class Originals {
  readonly #networks: Networks;
  readonly #folder: string | undefined;
  constructor({ networks, folder }: OriginalsOptions) {
    this.#networks = networks;
    this.#folder = folder === undefined ? undefined : resolve(folder);
  }

  /** Throws Error with the reason where there is none, or none that may be shown. */
  async get(address: string): Promise<Original> {
    const bytes = address.startsWith("/") ? await this.#read(address) : await this.#fetch(new URL(address));
    const type = typeOf(bytes);
    if (type === undefined) throw new Error("it is no JPEG, PNG, WebP, AVIF or GIF");
    return { bytes, type };
  }

  async #read(address: string): Promise<Buffer> {
    if (this.#folder === undefined) throw new Error("it is a file, and IMAGE_DIR is not set");
    const path = join(this.#folder, decodeURIComponent(address.split(/[?#]/, 1)[0]!));
    if (!path.startsWith(this.#folder + sep)) throw new Error("it is outside of IMAGE_DIR");
    // A pipe would keep the opening, and with it a place of the few, until somebody writes to it.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = await file.stat();
      if (!stats.isFile()) throw new Error("it is no file");
      if (stats.size > limits.originalBytesMax) throw tooLarge();
      return await file.readFile();
    } finally {
      await file.close();
    }
  }

  async #fetch(url: URL): Promise<Buffer> {
    const isPlain = url.protocol === "http:";
    const host = url.hostname.replace(/^\[|\]$/g, "");
    if (isIP(host) > 0 && !this.#networks.allows(host, { isPlain })) throw new Error(`${host} is not a public address`);
    const { promise, resolve: answered, reject } = Promise.withResolvers<IncomingMessage>();
    const request = (isPlain ? httpRequest : httpsRequest)(url, {
      agent: false,
      headers: { Accept: "image/avif,image/webp,image/*" },
      lookup: this.#lookup(isPlain),
      signal: AbortSignal.timeout(limits.fetchMs),
    });
    request.on("error", reject).on("response", answered).end();
    const answer = await promise;
    if (answer.statusCode !== 200) {
      request.destroy();
      throw new Error(`its server answers ${answer.statusCode}`);
    }
    let size = 0;
    answer.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > limits.originalBytesMax) answer.destroy(tooLarge());
    });
    return buffer(answer);
  }

  #lookup(isPlain: boolean): LookupFunction {
    return (host, options, callback) => {
      lookup(host, { ...options, all: true }, (error, found: LookupAddress[]) => {
        const allowed = error ? [] : found.filter(({ address }) => this.#networks.allows(address, { isPlain }));
        const [first] = allowed;
        if (!first) return callback(error ?? new Error(`${host} is not at a public address`), "");
        if (options.all) return callback(null, allowed);
        callback(null, first.address, first.family);
      });
    };
  }
}

const tooLarge = (): Error => new Error(`it has more than ${limits.originalBytesMax} bytes`);

/** By the first bytes. SVG is none of ours: it is a program. */
export function typeOf(bytes: Buffer): string | undefined {
  const text = (from: number, to: number): string => bytes.toString("latin1", from, to);
  if (text(0, 3) === "\u00ff\u00d8\u00ff") return "image/jpeg";
  if (text(0, 8) === "\u0089PNG\r\n\u001a\n") return "image/png";
  if (text(0, 4) === "RIFF" && text(8, 12) === "WEBP") return "image/webp";
  if (text(4, 12) === "ftypavif") return "image/avif";
  return /^GIF8[79]a$/.test(text(0, 6)) ? "image/gif" : undefined;
}
