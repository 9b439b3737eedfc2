// The door for sibling floors: the hardened HTTP server, the guard before any handler, and what reads requests and writes
// answers. The gateway stands on it, and the port of a process for its health.
export { addressOf, networkOf } from "./address.ts";
export { BEARER, isBearer } from "./bearer.ts";
export { hasBody, readBody, readText, type Body } from "./body.ts";
export type { Encoding } from "./compression.ts";
export { Cors } from "./cors.ts";
export { KeptBody } from "./kept-body.ts";
export { MERGE_PATCH, mediaTypeOf } from "./media-type.ts";
export { sendProblem, toProblem, type Mapped, type Problem } from "./problem.ts";
export { guardRequests, isSafePath, pathOf, requestId, type Handler, type RequestGuard } from "./request-guard.ts";
export {
  answersHead,
  drained,
  encodedHeaders,
  encodingFor,
  encodingOf,
  end,
  endWith,
  fieldsOf,
  JSON_TYPE,
  NOT_KEPT,
  send,
  sendParts,
  sendUnchanged,
  textOf,
  TextParts,
  unchangedHeaders,
  VARY,
} from "./respond.ts";
export { dropField, hasField, setField, setFields, type Fields } from "./response.ts";
export { appHeaders, PAGE_HEADERS, SECURITY_HEADERS, type HeaderList } from "./security-headers.ts";
export { HttpServer, type HttpServerOptions } from "./server.ts";
