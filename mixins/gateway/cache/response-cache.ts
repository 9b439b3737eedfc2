// Whole responses of cached routes, found by the request's target as it was sent: a hit is answered before the router and
// the pipeline, in a tenth of their time. A response is valid as long as the kept answer (`answer-cache.ts`) from which it
// was made. Only targets without unknown query fields are kept, so that a stranger's `?x=1`, `?x=2` … fills no memory;
// such requests meet the kept answer itself, at the end of the pipeline.
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { LRUCache } from "lru-cache";
import { hasBody } from "../http/body.ts";
import { compressed, type Encoding } from "../http/compression.ts";
import { encodingFor, end, sendEncoded, textOf } from "../http/respond.ts";
import { limits } from "../limits.ts";
import { noteRoute } from "../moleculer-web.ts";
import type { Answer } from "../exchange.ts";
import type { Route } from "../route/route.ts";
import type { AnswerCache, Entry } from "./answer-cache.ts";
import { agedHeaders } from "./answer-from-cache.ts";
import { conditionsOf, isUnchanged, type Validators } from "./conditions.ts";

interface Kept {
  readonly entry: Entry;
  /** The pattern of the route, for metrics and logs. */
  readonly route: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly validators: Validators | undefined;
  readonly body: Buffer;
  /** The compressed body, once for each encoding. */
  readonly encoded: Map<Encoding, Buffer | Promise<Buffer>>;
}

export class ResponseCache {
  readonly #answers: AnswerCache;
  readonly #responses: LRUCache<string, Kept>;

  constructor({ answers, bytesMax }: { answers: AnswerCache; bytesMax: number }) {
    this.#answers = answers;
    this.#responses = new LRUCache({
      // One byte for none: nothing is as small.
      maxSize: Math.max(1, bytesMax),
      maxEntrySize: limits.cacheEntryBytesMax,
      // The compressed bodies come later, and are at most as large together.
      sizeCalculation: ({ body }, key) => 2 * body.length + key.length + limits.cacheEntryOverheadBytes,
    });
  }

  get bytes(): number {
    return this.#responses.calculatedSize;
  }

  /** Answers the request if its response is kept. Refuses malformed conditions (400), and those that do not hold (412). */
  answer(req: IncomingMessage, res: ServerResponse): boolean {
    const key = keyOf(req);
    const kept = key === undefined ? undefined : this.#responses.get(key);
    if (!kept) return false;
    const { entry, route, validators, body, encoded } = kept;
    const outcome = this.#answers.use(entry);
    if (!outcome) {
      this.#responses.delete(key!);
      return false;
    }
    noteRoute(req, route);
    const headers = { ...kept.headers, ...agedHeaders(this.#answers, { entry, outcome }) };
    if (validators && isUnchanged(req.headers, conditionsOf(req.headers), validators)) {
      sendUnchanged(res, headers);
      return true;
    }
    const encoding = encodingFor(res, headers, body.length);
    if (encoding === undefined) end(res, 200, headers, body);
    else sendEncoded(res, headers, encoding, () => encodedOf(body, encoded, encoding));
    return true;
  }

  /** Keeps the response to this request, and its bytes. */
  keep(req: IncomingMessage, route: Route, entry: Entry, { headers, body }: Answer, validators?: Validators): void {
    const key = keyOf(req);
    if (key === undefined || !isPlain(req.url!, route)) return;
    const { "X-Cache": _outcome, Age: _age, ...own } = headers;
    const typed = { "Content-Type": "application/json; charset=utf-8", ...own };
    const bytes = Buffer.from(textOf(body, typed));
    const encoded: Kept["encoded"] = new Map();
    this.#responses.set(key, { entry, route: route.url, headers: typed, validators, body: bytes, encoded });
  }
}

/** RFC 9110, 15.4.5: the fields of the 200 by which a cache updates its copy, and none about a body. */
export function sendUnchanged(res: ServerResponse, headers: OutgoingHttpHeaders): void {
  const { "Content-Type": _type, ...others } = headers;
  end(res, 304, { "Cache-Control": "no-store", ...others }, "");
}

/** The target as it was sent, and what the client accepts; undefined for long ones, and for a request with a body. */
function keyOf({ method, url = "", headers }: IncomingMessage): string | undefined {
  const { accept = "*/*" } = headers;
  if (method !== "GET" && method !== "HEAD") return undefined;
  if (url.length + accept.length > limits.cacheKeyCharsMax || hasBody(headers)) return undefined;
  return `${url}\n${accept}`;
}

const isPlain = (url: string, { query }: Route): boolean => {
  const at = url.indexOf("?");
  return at < 0 || [...new URLSearchParams(url.slice(at + 1)).keys()].every(name => Object.hasOwn(query, name));
};

/** Compressed at the first request for this encoding; others wait for it. */
function encodedOf(
  body: Buffer,
  encoded: Map<Encoding, Buffer | Promise<Buffer>>,
  encoding: Encoding,
): Buffer | Promise<Buffer> {
  const known = encoded.get(encoding);
  if (known) return known;
  const bytes = compressed(body, encoding);
  encoded.set(encoding, bytes);
  if (!Buffer.isBuffer(bytes))
    bytes.then(
      done => encoded.set(encoding, done),
      () => encoded.delete(encoding),
    );
  return bytes;
}
