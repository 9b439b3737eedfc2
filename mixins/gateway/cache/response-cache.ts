// Whole responses of cached routes, found by the request's target as it was sent: a hit is answered before the router and
// the pipeline, in a tenth of their time. A response is valid as long as the kept answer (`answer-cache.ts`) from which it
// was made. Only targets without unknown query fields are kept, so that a stranger's `?x=1`, `?x=2` … fills no memory;
// such requests meet the kept answer itself, at the end of the pipeline.
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { LRUCache } from "lru-cache";
import {
  encodedHeaders,
  type Encoding,
  encodingFor,
  endWith,
  type Fields,
  fieldsOf,
  hasBody,
  JSON_TYPE,
  KeptBody,
  setFields,
  textOf,
  unchangedHeaders,
} from "../../http/siblings.ts";
import { limits } from "../limits.ts";
import { millisecondsOf } from "../admission/deadline.ts";
import { noteRoute } from "../moleculer-web.ts";
import type { Answer } from "../exchange.ts";
import type { Route } from "../route/route.ts";
import type { AnswerCache, Entry } from "./answer-cache.ts";
import { agedHeaders } from "./answer-from-cache.ts";
import { conditionsOf, isUnchanged, tagIn, type Validators } from "./conditions.ts";

interface Kept {
  readonly entry: Entry;
  /** The pattern of the route, for metrics and logs. */
  readonly route: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly validators: Validators | undefined;
  readonly body: KeptBody;
  /** The responses as they were written, by form. */
  readonly forms: Map<FormName, Form>;
}
type FormName = "plain" | Encoding | `unchanged ${"plain" | Encoding}`;
interface Form {
  readonly status: 200 | 304;
  /** But those of the client that asks, and how old the answer is. */
  readonly fields: Fields;
  readonly body: string | Buffer;
}

/** Header fields that are the answer's; any other may be about the client that asked (a cookie, its limit, its time). */
const OF_THE_ANSWER: ReadonlySet<string> = new Set([
  "cache-control",
  "cache-tag",
  "content-disposition",
  "content-language",
  "content-location",
  "content-type",
  "deprecation",
  "etag",
  "last-modified",
  "link",
  "sunset",
  "surrogate-key",
  "vary",
]);

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
      sizeCalculation: ({ body }, key) => 2 * body.bytes.length + key.length + limits.cacheEntryOverheadBytes,
    });
  }

  get bytes(): number {
    return this.#responses.calculatedSize;
  }

  /**
   * Answers the request if its response is kept, with `others` beside the response's own fields. Refuses malformed
   * conditions and times (400), and those that do not hold (412).
   */
  answer(req: IncomingMessage, res: ServerResponse, others: Fields): boolean {
    const key = keyOf(req);
    const kept = key === undefined ? undefined : this.#responses.get(key);
    if (!kept) return false;
    const { entry, route, validators, body, headers } = kept;
    const outcome = this.#answers.use(entry);
    if (!outcome) {
      this.#responses.delete(key!);
      return false;
    }
    noteRoute(req, route);
    const timeout = req.headers["request-timeout"];
    if (timeout !== undefined) millisecondsOf(timeout);
    const encoding = encodingFor(res, headers, body.bytes.length);
    const isUnchanged = validators && hasIt(req.headers, validators, encoding);
    const form = isUnchanged ? unchangedOf(kept, encoding) : formOf(kept, encoding);
    const aged = agedHeaders(this.#answers, { entry, outcome });
    if (form) endWith(res, form.status, [...others, ...form.fields, ...fieldsOf(aged)], form.body);
    else {
      setFields(res, others);
      body.send(res, { ...headers, ...aged });
    }
    return true;
  }

  /** Keeps the response to this request, and its bytes. */
  keep(req: IncomingMessage, route: Route, entry: Entry, { headers, body }: Answer, validators?: Validators): void {
    const key = keyOf(req);
    if (key === undefined || !isPlain(req.url!, route)) return;
    const own = Object.entries(headers).filter(([name]) => OF_THE_ANSWER.has(name.toLowerCase()));
    const typed = { "Content-Type": JSON_TYPE, ...Object.fromEntries(own) };
    const kept = {
      entry,
      route: route.url,
      headers: typed,
      validators,
      body: new KeptBody(textOf(body, typed)),
      forms: new Map(),
    };
    this.#responses.set(key, kept);
  }
}

/** The 304 to a client that gets the 200 in this encoding. */
function unchangedOf({ forms, headers }: Kept, encoding: Encoding | undefined): Form {
  const name = `unchanged ${encoding ?? "plain"}` as const;
  const known = forms.get(name);
  if (known) return known;
  const form = { status: 304, fields: fieldsOf(unchangedHeaders(headers, encoding)), body: "" } as const;
  forms.set(name, form);
  return form;
}

/** The 200 in this encoding; undefined while its body is compressed. */
function formOf({ forms, headers, body }: Kept, encoding: Encoding | undefined): Form | undefined {
  const name = encoding ?? "plain";
  const known = forms.get(name);
  if (known) return known;
  const bytes = body.ready(encoding);
  if (bytes === undefined) return undefined;
  const all = encoding === undefined ? headers : encodedHeaders(headers, encoding);
  const fields = fieldsOf({ ...all, "Content-Length": Buffer.byteLength(bytes) });
  const form = { status: 200, fields, body: bytes } as const;
  forms.set(name, form);
  return form;
}

/** Whether the client has this answer. Most ask by the tag alone, as they got it: that needs no parser. */
function hasIt(headers: IncomingHttpHeaders, validators: Validators, encoding: Encoding | undefined): boolean {
  const { "if-none-match": noneMatch, "if-match": match, "if-unmodified-since": since } = headers;
  if (
    noneMatch === undefined ||
    match !== undefined ||
    since !== undefined ||
    noneMatch !== tagIn(encoding, validators)
  )
    return isUnchanged(headers, conditionsOf(headers), validators, encoding);
  return true;
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
