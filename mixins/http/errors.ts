// Errors of the HTTP servers: bytes that are no request, malformed headers and bodies.
import { defineErrors } from "../kernel/index.ts";

export const httpErrors = defineErrors({
  // ---- the request line and header
  PROTOCOL: { status: 400, says: "these bytes are no HTTP request", todo: "send HTTP/1.1" },
  REQUEST_TOO_SLOW: {
    status: 408,
    says: "the request did not arrive in time",
    todo: "send the whole request at once",
  },
  HEADERS_TOO_LARGE: {
    status: 431,
    says: "the header fields have more than {bytes} bytes",
    todo: "send fewer or shorter header fields",
  },
  TOO_MANY_FIELDS: {
    status: 431,
    says: "a request has at most {fields} header fields",
    todo: "send fewer header fields",
  },
  CHUNK_EXTENSIONS_TOO_LARGE: {
    status: 413,
    says: "the chunk extensions are too large",
    todo: "send the body's chunks without extensions",
  },
  BAD_HOST: {
    status: 400,
    says: "the request has no Host header, more than one, or one that is no host",
    todo: "send one `Host` header: a name or an address, and perhaps a port",
  },
  UNKNOWN_TRANSFER_CODING: {
    status: 501,
    says: "the body has a Transfer-Encoding other than chunked",
    todo: "send the body as it is, or in chunks",
  },
  URL_TOO_LONG: { status: 414, says: "the URL has more than {characters} characters", todo: "send a shorter URL" },
  BAD_PATH: {
    status: 400,
    says: "the path is malformed",
    todo: "send a path without empty segments, `..`, encoded separators and control characters, in UTF-8",
  },
  EXPECTATION_FAILED: {
    status: 417,
    says: "the request expects something other than 100-continue",
    todo: "send no `Expect`, or `100-continue`",
  },

  // ---- the body
  UNEXPECTED_BODY: { status: 400, says: "{method} takes no body", todo: "send GET, HEAD and DELETE without a body" },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    says: "the body is not application/json in UTF-8",
    todo: "send `application/json` in UTF-8; to PATCH also `application/merge-patch+json`",
  },
  UNSUPPORTED_ENCODING: {
    status: 415,
    says: "the body has a Content-Encoding",
    todo: "send the body as it is, not compressed",
  },
  INCOMPLETE_BODY: {
    status: 400,
    says: "the body ended early",
    todo: "send as many bytes as `Content-Length` says",
  },
  BODY_TOO_LARGE: { status: 413, says: "the body has more than {bytes} bytes", todo: "send a smaller body" },
  TOO_MANY_VALUES: {
    status: 413,
    says: "the body has more than {keys} keys or {items} items",
    todo: "send a body of fewer keys or items",
  },
  BODY_TOO_DEEP: {
    status: 400,
    says: "the body is nested more than {levels} levels deep",
    todo: "send a body that is nested less",
  },
  MALFORMED_JSON: { status: 400, says: "the body is not JSON", todo: "send JSON in UTF-8" },
  FORBIDDEN_KEY: {
    status: 400,
    says: "the body has a key that is not allowed",
    todo: "send no key `__proto__`, `constructor` or `prototype`",
  },
});
