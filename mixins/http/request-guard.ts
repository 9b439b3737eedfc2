// Refuses malformed requests before the router sees them. Each check mends a mistake of moleculer-web: OPTIONS with
// `Access-Control-Request-Method: DELETE` would run the DELETE action, two Host headers would count as one, a wrong
// method would be a 404, and a path would match in any case and with `%2F` decoded into a param.
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { callErrors } from "../contract/index.ts";
import { httpErrors } from "./errors.ts";
import { hasBody, tooLarge, whenBodyKnown } from "./body.ts";
import { httpLimits as limits } from "./limits.ts";
import { isAcceptedType } from "./media-type.ts";
import { FIELDS_FOR_ALL, type Cors } from "./cors.ts";
import { noteHead, VARY } from "./respond.ts";
import { setFields, type Fields } from "./response.ts";

export type Handler = (req: IncomingMessage, res: ServerResponse) => void;
export interface RequestGuard {
  /** Methods of the path, HEAD included; an empty list when there is no such path. */
  readonly methodsOf: (path: string) => readonly string[];
  /** Handlers by path that bypass the router: a probe must not wait behind other requests. GET and HEAD only. */
  readonly plain: ReadonlyMap<string, Handler>;
  /** The handler of a path that is neither there nor the router's: a page. GET and HEAD only; undefined for none. */
  readonly pageFor?: (req: IncomingMessage) => Handler | undefined;
  /** The header fields by which pages of other origins may read the answer. */
  readonly cors: Pick<Cors, "fieldsFor" | "preflight">;
  /** Answers a GET from the responses that are kept, before the router, with `fields` beside its own. False for none. */
  readonly answerKept: (req: IncomingMessage, res: ServerResponse, fields: Fields) => boolean;
  /** The router. */
  readonly handle: Handler;
  readonly fail: (req: IncomingMessage, res: ServerResponse, error: unknown) => void;
}

const UNSAFE_PATH = /%(?![0-9a-f]{2})|%[01][0-9a-f]|%2[ef]|%5c|%7f|\\|\/\/|\/\.\.?(?:\/|$)/i;
const READS = ["GET", "HEAD"];
const BODY_METHODS = new Set(["POST", "PUT", "PATCH"]);
/** Methods of the server as a whole: `OPTIONS *` asks about it. */
const ALL_METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/** Of every response, refusals included: a cache must not give one origin's to another. */
const FIELDS: Fields = [...FIELDS_FOR_ALL, "Vary", VARY];

/** The id of a request: the client's, if logs and headers can carry it without harm, else a new one. */
export const requestIdOf = (given: unknown): string =>
  typeof given === "string" && /^[\w-]{8,64}$/.test(given) ? given : randomUUID();

export const requestId = (req: IncomingMessage): string => String(req.headers["x-request-id"]);

export const guardRequests =
  ({ methodsOf, plain, pageFor, cors, answerKept, handle, fail }: RequestGuard): Handler =>
  (req, res) => {
    const id = requestIdOf(req.headers["x-request-id"]);
    req.headers["x-request-id"] = id;
    // moleculer-web would use it as the trace id, at any length.
    delete req.headers["x-correlation-id"];
    const fields = [...FIELDS, ...cors.fieldsFor(req), "X-Request-ID", id];
    // The router knows no HEAD; the response remembers that it answers one and leaves the body out.
    const isHead = req.method === "HEAD";
    if (isHead) noteHead(res);
    try {
      checkFields(req, res);
      checkHost(req, res);
      checkExpectation(req);
      checkCoding(req, res);
      req.url = originForm(req);
      // Only targets that have passed the checks below are kept.
      if (answerKept(req, res, fields)) {
        if (isHead) req.method = "GET";
        return;
      }
    } catch (error) {
      setFields(res, fields);
      return fail(req, res, error);
    }
    setFields(res, fields);
    try {
      if (req.method === "OPTIONS" && req.url === "*") return void res.writeHead(204, { Allow: ALL_METHODS }).end();
      checkTarget(req.url);
      const path = pathOf(req);
      let direct = plain.get(path);
      let methods = direct ? READS : methodsOf(path);
      if (methods.length === 0 && (direct = pageFor?.(req))) methods = READS;
      if (methods.length === 0) {
        // A browser that gets no answer to its preflight shows its page a network error in place of our 404.
        if (cors.preflight(req, res, ALL_METHODS)) return void res.writeHead(204).end();
        throw callErrors.NOT_FOUND();
      }
      const allow = [...methods, "OPTIONS"].join(", ");
      if (req.method === "OPTIONS") {
        cors.preflight(req, res, allow);
        return void res.writeHead(204, { Allow: allow }).end();
      }
      if (!methods.includes(req.method!)) {
        res.setHeader("Allow", allow);
        throw callErrors.METHOD_NOT_ALLOWED({ allow });
      }
      if (isHead) req.method = "GET";
      const enter = (): void => {
        checkBody(req);
        (direct ?? handle)(req, res);
      };
      if (req.headers["transfer-encoding"] === undefined) return enter();
      whenBodyKnown(req, () => {
        try {
          enter();
        } catch (error) {
          fail(req, res, error);
        }
      });
    } catch (error) {
      return fail(req, res, error);
    }
  };

export function pathOf({ url = "" }: IncomingMessage): string {
  const at = url.indexOf("?");
  return at < 0 ? url : url.slice(0, at);
}

function checkFields(req: IncomingMessage, res: ServerResponse): void {
  if (req.rawHeaders.length <= 2 * limits.headersMax) return;
  res.shouldKeepAlive = false;
  throw httpErrors.TOO_MANY_FIELDS({ fields: limits.headersMax });
}

function checkHost(req: IncomingMessage, res: ServerResponse): void {
  let hosts = 0;
  for (let at = 0; at < req.rawHeaders.length; at += 2) {
    const name = req.rawHeaders[at]!;
    if (name.length === 4 && name.toLowerCase() === "host") hosts++;
  }
  const { host = "" } = req.headers;
  if (hosts > 1 || (hosts === 0 && req.httpVersion !== "1.0") || (host !== "" && !HOST.test(host))) {
    // A client that sends two tries to make a proxy and us read two different requests: its connection ends here.
    res.shouldKeepAlive = false;
    throw httpErrors.BAD_HOST();
  }
}

/** A name, an IPv4 or an IPv6 address, and perhaps a port (RFC 3986, 3.2.2 and 3.2.3; RFC 9112, 3.2). */
const AUTHORITY = String.raw`(?:[\w.~!$&'()*+,;=-]|%[0-9a-f]{2})+(?::\d*)?|\[[0-9a-f:.]+\](?::\d*)?`;
const HOST = new RegExp(`^(?:${AUTHORITY})$`, "i");
const ABSOLUTE = new RegExp(`^https?://(?:${AUTHORITY})(?<rest>[/?].*)?$`, "is");

/**
 * The target without scheme and authority. A client that takes us for a proxy sends them (RFC 9112, 3.2.2); it asks for the
 * same resource, since we are one host by all our names. An absolute target without a path asks for `*` with OPTIONS, else
 * for `/`.
 */
function originForm({ url = "", method }: IncomingMessage): string {
  if (url.startsWith("/")) return url;
  const absolute = ABSOLUTE.exec(url);
  if (!absolute) return url;
  const { rest = "" } = absolute.groups!;
  if (rest === "") return method === "OPTIONS" ? "*" : "/";
  return rest.startsWith("/") ? rest : `/${rest}`;
}

/** The target is not too long, and its path means the same to every reader. */
function checkTarget(url: string): void {
  if (url.length > limits.urlCharsMax) throw httpErrors.URL_TOO_LONG({ characters: limits.urlCharsMax });
  if (!url.startsWith("/") || !isSafePath(url.split("?", 1)[0]!)) throw httpErrors.BAD_PATH();
}

/** Node answers `100-continue` itself; we can meet no other expectation. */
function checkExpectation({ headers: { expect } }: IncomingMessage): void {
  if (expect !== undefined && expect.toLowerCase() !== "100-continue") throw httpErrors.EXPECTATION_FAILED();
}

/** RFC 9112, 6.1: chunks are the one transfer coding that we know. The parser takes others before them. */
function checkCoding({ headers: { "transfer-encoding": coding } }: IncomingMessage, res: ServerResponse): void {
  if (coding === undefined || coding.toLowerCase() === "chunked") return;
  res.shouldKeepAlive = false;
  throw httpErrors.UNKNOWN_TRANSFER_CODING();
}

/** No encoded separators, dots or control characters, no `..`, no empty segment, valid percent-encoded UTF-8. */
export function isSafePath(path: string): boolean {
  if (UNSAFE_PATH.test(path)) return false;
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

/** A body must be JSON: with any other type moleculer-web would ignore it and run the action all the same. */
function checkBody(req: IncomingMessage): void {
  const { "content-type": type, "content-length": length } = req.headers;
  if (!hasBody(req.headers)) return;
  if (!BODY_METHODS.has(req.method!)) throw httpErrors.UNEXPECTED_BODY({ method: req.method! });
  if (!isAcceptedType(type, req.method!)) throw httpErrors.UNSUPPORTED_MEDIA_TYPE();
  if (Number(length) > limits.bodyBytesMax) throw tooLarge();
}
