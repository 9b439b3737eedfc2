// A span for each request of the API, which goes on with the client's trace if it has one (`traceparent`, `tracestate`), and tells by events
// when each step of the pipeline began. Health checks, `/metrics` and the like make none.
import type { IncomingMessage } from "node:http";
import { redacted } from "../../log/index.ts";
import { ATTRIBUTES, carriedCause, tracing, type Span } from "../../tracing/index.ts";
import type { Step } from "../exchange.ts";
import { pathOf, requestId, type Handler } from "../../http/siblings.ts";
import { routeOf } from "../moleculer-web.ts";
import { isLasting } from "../route/route.ts";

const SPAN = Symbol("span");
type Traced = IncomingMessage & { [SPAN]?: Span };

/** The span of a request; undefined where it has none. */
export const spanOf = (req: Traced): Span | undefined => req[SPAN];

interface RequestSpans {
  readonly isTraced: (path: string) => boolean;
  /** The address at which clients reach the gateway. Its scheme is theirs: TLS ends in front of us. */
  readonly publicUrl: string | undefined;
}

/** The handler, with a span around each request whose path `isTraced`. The same handler where nothing is traced. */
export function traceRequests(handler: Handler, { isTraced, publicUrl }: RequestSpans): Handler {
  const active = tracing();
  if (!active) return handler;
  const scheme = publicUrl?.startsWith("https:") === true ? "https" : "http";
  return (req, res) => {
    const path = pathOf(req);
    if (!isTraced(path)) return handler(req, res);
    const method = req.method!;
    const span = active.begin({
      name: method,
      kind: "server",
      parent: carriedCause(req.headers as Readonly<Record<string, string>>) ?? null,
      attributes: () => ({ [ATTRIBUTES.httpMethod]: method, [ATTRIBUTES.urlScheme]: scheme }),
    });
    (req as Traced)[SPAN] = span;
    res.prependOnceListener("close", () => {
      const route = routeOf(req);
      if (route !== undefined) span.rename(`${method} ${route}`);
      span.set({
        [ATTRIBUTES.httpRoute]: route,
        [ATTRIBUTES.urlPath]: route === undefined ? undefined : shownPath(path, res.statusCode),
        [ATTRIBUTES.httpStatus]: res.statusCode,
        [ATTRIBUTES.requestId]: requestId(req),
      });
      span.end(res.statusCode < 500 ? undefined : failure(res.statusCode));
    });
    active.inside(span, () => handler(req, res));
  };
}

/** The first step, done in the request's span: a request that has waited is let in by the end of another one. */
export function traceSteps(first: Step, names: readonly string[]): Step {
  const active = tracing();
  if (!active) return first;
  return async (exchange, next) => {
    const { marks, req, route, res } = exchange;
    const span = spanOf(req);
    if (!span) return first(exchange, next);
    // It lasts as long as its client stays; its span is over when the answer has begun.
    if (isLasting(route)) endWhenOpen(res, span, route);
    try {
      return await active.inside(span, () => first(exchange, next));
    } finally {
      for (const { at, began } of marks) span.event(names[at]!, began);
    }
  };
}

function endWhenOpen(res: Parameters<Handler>[1], span: Span, { method, url }: { method: string; url: string }): void {
  const writeHead = res.writeHead.bind(res) as (...given: unknown[]) => typeof res;
  res.writeHead = (...given: unknown[]) => {
    const written = writeHead(...given);
    if (res.statusCode < 400) {
      span.rename(`${method} ${url}`);
      span.set({ [ATTRIBUTES.httpRoute]: url, [ATTRIBUTES.httpStatus]: res.statusCode });
      span.end();
    }
    return written;
  };
}

/**
 * The path of a request that a route took, with the ids in it. One that was refused may have anything in their place; the client
 * has it.
 */
function shownPath(path: string, status: number): string | undefined {
  if (status >= 400 && status < 500) return undefined;
  // No id of ours is percent-encoded: what is, may be an address that has no such form.
  return redacted(path.replaceAll(/[^/]*%[^/]*/g, "…"));
}

/** The reason of a failed request stands in the span of the action that failed. */
const failure = (status: number) => ({ type: `${status}`, message: `HTTP ${status}` });
