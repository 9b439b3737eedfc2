// The one place where an error becomes a response: RFC 9457 `application/problem+json`. The client gets the message of a
// refusal; the message of a failure stays in the log, under the same request id.
import { randomUUID } from "node:crypto";
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { CALL_FAILURES, isCallFailure } from "../contract/index.ts";
import { PROBLEM_JSON, problemType, type Issue, type Refusal } from "../kernel/index.ts";
import { httpErrors } from "./errors.ts";
import { httpLimits as limits } from "./limits.ts";
import { NOT_KEPT, send } from "./respond.ts";
import { SECURITY_HEADERS } from "./security-headers.ts";

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail?: string;
  readonly errors?: readonly Issue[];
  readonly requestId: string;
  /** Further members of a rule that has them. */
  readonly [member: string]: unknown;
}
export interface Mapped {
  readonly problem: Problem;
  /** Milliseconds for `Retry-After`. */
  readonly retryAfterMs: number | undefined;
}

interface ErrorLike {
  name?: unknown;
  message?: unknown;
  code?: unknown;
  type?: unknown;
  data?: unknown;
}

interface Data {
  family?: unknown;
  errors?: unknown;
  retryAfterMs?: unknown;
  outcome?: unknown;
  members?: object;
}

/** Maps any thrown value. An error that is neither a refusal nor known to be temporary is a 500 without details. */
export function toProblem(error: unknown, requestId: string): Mapped {
  const thrown = (error ?? {}) as ErrorLike;
  const type = textOf(thrown.type);
  const data = (thrown.data ?? {}) as Data;
  const mapped = (status: number, rule: string, detail = "", errors: readonly Issue[] = []): Mapped => ({
    problem: {
      ...(data.family === "refusal" && data.members),
      type: problemType(rule),
      title: STATUS_CODES[status] ?? "Error",
      status,
      ...(detail && { detail }),
      ...(errors.length > 0 && { errors }),
      requestId,
    },
    retryAfterMs: typeof data.retryAfterMs === "number" ? data.retryAfterMs : RETRY_AFTER_MS[status],
  });

  if (data.family === "bug") return mapped(500, "INTERNAL");
  if (data.family === "unavailable") {
    const status = data.outcome === "unknown" ? 504 : thrown.code === 429 ? 429 : 503;
    return mapped(status, type, WAIT[status]);
  }
  const name = textOf(thrown.name);
  if (isCallFailure(name)) {
    const { code, status } = CALL_FAILURES[name];
    return mapped(status, code, WAIT[status]);
  }

  const status = statusOf(thrown, data.family);
  if (status === undefined || !type) return mapped(500, "INTERNAL");
  return type === "VALIDATION_ERROR"
    ? mapped(status, type, "the request is not valid: see errors", issuesOf(data.errors ?? thrown.data))
    : mapped(status, type, textOf(thrown.message).slice(0, 300), issuesOf(data.errors));
}

const WAIT: Record<number, string> = {
  429: "too much at once: try again later",
  503: "nothing was done: try again later",
  504: "it is not known whether this took effect: repeat it, with the same Idempotency-Key if it had one",
};
/** Default in milliseconds for errors that name no time. */
const RETRY_AFTER_MS: Record<number, number> = { 429: 10_000, 503: 1_000, 504: 1_000 };
const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

/**
 * The status of a client's error, 501 for what no client may ask for included. A number in any other error (of a database,
 * of another server) is none of ours.
 */
function statusOf({ code }: ErrorLike, family: unknown): number | undefined {
  const isOfClient = Number.isInteger(code) && Number(code) >= 400 && Number(code) < 500;
  return isOfClient || (code === 501 && family === "refusal") ? Number(code) : undefined;
}

/** Only field and message of each issue: validators also add the value, the node and the action. */
function issuesOf(value: unknown): Issue[] {
  if (!Array.isArray(value)) return [];
  return value
    .slice(0, limits.problemIssuesMax)
    .map(({ field, message }: Record<string, unknown>) => ({ field: cut(textOf(field)), message: textOf(message) }));
}

/** Shortened: the name of an unknown field is the client's text, of any length. */
const cut = (text: string): string =>
  text.length > FIELD_CHARS ? `${text.slice(0, FIELD_CHARS).toWellFormed()}…` : text;
const FIELD_CHARS = 200;

/** Writes the problem, unless the response has begun (then the connection is cut) or the client is gone. */
export function sendProblem(req: IncomingMessage, res: ServerResponse, { problem, retryAfterMs }: Mapped): void {
  if (res.headersSent) return void res.destroy();
  afterBody(req, () => {
    if (res.headersSent || res.destroyed) return;
    // The connection closes: bytes still arriving would be read as the next request.
    if (!req.complete) res.shouldKeepAlive = false;
    send(res, problem.status, problem, {
      "Content-Type": PROBLEM_JSON,
      ...(problem.status === 401 && { "WWW-Authenticate": challengeOf(req, problem) }),
      ...(retryAfterMs !== undefined && { "Retry-After": String(Math.max(1, Math.ceil(retryAfterMs / 1_000))) }),
    });
  });
}

/** RFC 6750: `invalid_token` only for a token that was checked; at a log-in the password is wrong. */
const challengeOf = ({ headers: { authorization } }: IncomingMessage, { type }: Problem): string =>
  authorization !== undefined && TOKEN_PROBLEMS.has(type) ? 'Bearer error="invalid_token"' : "Bearer";
const TOKEN_PROBLEMS = new Set(["UNAUTHENTICATED", "INVALID_TOKEN", "INVALID_KEY"].map(problemType));

/** Calls back when the request has been read to its end, or after 2 s: closing on unread bytes resets the connection. */
function afterBody(req: IncomingMessage, callback: () => void): void {
  if (req.complete || req.destroyed) return callback();
  const done = () => {
    clearTimeout(timer);
    req.off("end", done).off("close", done);
    callback();
  };
  const timer = setTimeout(done, limits.unreadBodyMs);
  req.once("end", done).once("close", done).resume();
}

/** Errors of Node's parser with a code of their own; all others mean that the bytes are no HTTP. */
const PROTOCOL: Readonly<Record<string, () => Refusal>> = {
  HPE_HEADER_OVERFLOW: () => httpErrors.HEADERS_TOO_LARGE({ bytes: limits.headerBytesMax }),
  HPE_CHUNK_EXTENSIONS_OVERFLOW: httpErrors.CHUNK_EXTENSIONS_TOO_LARGE,
  ERR_HTTP_REQUEST_TIMEOUT: httpErrors.REQUEST_TOO_SLOW,
};

/**
 * The refusal of bytes that never became a request; undefined for an error that is none of the client's bytes: a reset, and
 * a connection without a first byte, on which Node gives up when a header would be late. It is not: a pool would take a 408
 * for the answer to its next request. The server closes such a connection when it has been idle long enough.
 */
export function refusalOf(error: Error & { code?: string }, socket: Duplex): Refusal | undefined {
  const { code = "" } = error;
  if (code === "ECONNRESET" || (code === "ERR_HTTP_REQUEST_TIMEOUT" && (socket as Socket).bytesRead === 0))
    return undefined;
  return (PROTOCOL[code] ?? httpErrors.PROTOCOL)();
}

/**
 * Answers on the connection itself, unless it is closing, and closes it. Bytes that still come are read for a while:
 * closing beside unread bytes resets the connection, and the client would lose the answer. There is no request to take an
 * id from: a new id ties the answer to the client's report of it.
 */
export function endWith(socket: Duplex, { type: code, code: status, message: detail }: Refusal): void {
  if (!socket.writable) return;
  const requestId = randomUUID();
  const type = problemType(code);
  const body = JSON.stringify({ type, title: STATUS_CODES[status], status, detail, requestId });
  const security = SECURITY_HEADERS.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: ${PROBLEM_JSON}\r\n` +
      `${security}X-Request-ID: ${requestId}\r\nCache-Control: ${NOT_KEPT}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  const timer = setTimeout(() => socket.destroy(), limits.unreadBodyMs);
  socket.once("close", () => clearTimeout(timer)).resume();
}
