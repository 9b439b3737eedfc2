// The header fields of answers, as the description has them: each stands once, among the components.
const text = { type: "string" };
const seconds = { type: "integer", minimum: 0 };

export const HEADERS = {
  "X-Request-ID": {
    description: "The id of the request: the client's own, if it sent one of 8 to 64 letters, digits, `-` and `_`.",
    required: true,
    schema: { type: "string", pattern: "^[\\w-]{8,64}$" },
  },
  ETag: {
    description: "The version of the answer: send it back as `If-None-Match`, or as `If-Match` with a change.",
    schema: { type: "string", pattern: '^(W/)?"[^"]*"$' },
  },
  "Last-Modified": { description: "When the resource was changed last.", schema: text },
  Location: {
    description: "The URL of the resource that was made.",
    schema: { type: "string", format: "uri-reference" },
  },
  "Content-Location": {
    description: "The URL of the resource that the answer shows.",
    schema: { type: "string", format: "uri-reference" },
  },
  Link: {
    description: 'RFC 8288: the URL of the next page, `rel="next"`; absent on the last.',
    schema: { type: "string", pattern: "^<[^>]+>; *rel=" },
  },
  "Idempotency-Replayed": {
    description: "The answer is the first one to this `Idempotency-Key`; nothing was done anew.",
    schema: { type: "string", enum: ["true"] },
  },
  "Retry-After": { description: "Seconds to wait before the request is repeated.", schema: seconds },
  "WWW-Authenticate": { description: "RFC 6750: how to authenticate, and what was wrong.", schema: text },
  RateLimit: {
    description: "What is left of the limits, and the seconds until they are full again.",
    schema: { type: "string", pattern: '^"[^"]+";r=\\d+' },
  },
  "RateLimit-Policy": {
    description: "The limits: `q` requests in `w` seconds.",
    schema: { type: "string", pattern: '^"[^"]+";q=\\d+' },
  },
  Deprecation: { description: "RFC 9745: since when the operation is deprecated.", schema: text },
  Sunset: { description: "RFC 8594: when the operation ends.", schema: text },
} as const;

export type HeaderName = keyof typeof HEADERS;

/** References to the components. */
export const referTo = (names: readonly HeaderName[]): Record<string, object> =>
  Object.fromEntries(names.map(name => [name, { $ref: `#/components/headers/${name}` }]));

/** The components that these parts of a document refer to. */
export function headersIn(parts: readonly object[]): Record<string, object> {
  const text = JSON.stringify(parts);
  return Object.fromEntries(
    Object.entries(HEADERS).filter(([name]) => text.includes(`"#/components/headers/${name}"`)),
  );
}

/** The fields of a problem of this status. */
export function headersOfProblem(status: number): HeaderName[] {
  return [
    "X-Request-ID",
    ...(status === 401 ? (["WWW-Authenticate"] as const) : []),
    ...(status === 429 || status === 503 || status === 504 ? (["Retry-After"] as const) : []),
    ...(status === 429 ? (["RateLimit", "RateLimit-Policy"] as const) : []),
  ];
}
