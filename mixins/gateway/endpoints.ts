// The paths that the gateway answers itself, before the router and without any limit: a probe must not wait behind
// clients.
//
//   /              the name of the API, and where its description and health are
//   /health/live     the process answers; it asks no other process, since a restart of this one would not mend them
//   /health/startup  every service that a route needs has been seen once: until then a start may take its time
//   /health/ready    see `readiness.ts`
//   /metrics       in Prometheus' text format, for administrators and for the bearer of METRICS_TOKEN
//   /openapi.json  the routes that the asking user may use
//   /docs          the same as a page, on which requests can be tried
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ServiceBroker } from "moleculer";
import { callErrors } from "../contract/index.ts";
import { METRICS } from "../kernel/index.ts";
import type { Admission } from "./admission/admission.ts";
import { ANONYMOUS, isBearer, type Verified } from "./auth/authentication.ts";
import type { Entrance } from "./admission/entrance.ts";
import { entranceMetrics } from "./admission/metrics.ts";
import { requireRole } from "./auth/authorize.ts";
import type { Callers } from "./auth/callers.ts";
import type { AnswerCache } from "./cache/answer-cache.ts";
import type { ResponseCache } from "./cache/response-cache.ts";
import { gatewayEnvironment } from "./environment.ts";
import { addressOf, type Handler, type HttpServer, KeptBody, send, VARY } from "../http/siblings.ts";
import { limits } from "./limits.ts";
import { limitFailuresOf } from "./limits/limit-rate.ts";
import type { HttpMetrics, Registered } from "./observability/metrics.ts";
import { docsPages } from "./openapi/docs-page.ts";
import type { ApiDocuments } from "./openapi/document.ts";
import type { Readiness } from "./readiness.ts";
import type { EventStreams } from "./sse/event-streams.ts";

export interface Endpoints {
  readonly broker: ServiceBroker;
  readonly apiName: string;
  readonly readiness: Readiness;
  readonly documents: ApiDocuments;
  readonly callers: Callers;
  /** Proxies before the gateway; see `addressOf`. */
  readonly proxies: number;
  readonly admission: Admission;
  readonly entrance: Entrance;
  readonly answers: AnswerCache;
  readonly responses: ResponseCache;
  readonly streams: EventStreams;
  readonly server: HttpServer;
  readonly metrics: HttpMetrics;
  errorHandler(req: IncomingMessage, res: ServerResponse, error: unknown): void;
}

type AsyncHandler = (req: IncomingMessage, res: ServerResponse) => Promise<void>;

/** The handlers by path on the public port; GET and HEAD only. */
export function endpointsOf(gateway: Endpoints): ReadonlyMap<string, Handler> {
  const waiting = (handle: AsyncHandler): Handler => waitingFor(gateway, handle);
  const about = { name: gateway.apiName, description: "/openapi.json", docs: "/docs", health: "/health/ready" };
  return new Map<string, Handler>([
    ["/", (_req, res) => send(res, 200, about)],
    ["/health/live", (_req, res) => send(res, 200, { status: "live" })],
    ["/health/startup", (_req, res) => tellStartup(gateway, res)],
    ["/health/ready", (_req, res) => tellReadiness(gateway, res)],
    ["/metrics", waiting((req, res) => tellMetrics(gateway, req, res))],
    ["/openapi.json", waiting((req, res) => tellRoutes(gateway, gateway.documents, req, res))],
    ...docsPages(gateway.apiName, waiting),
  ]);
}

/** The handlers by path on the internal port, besides health; GET and HEAD only. */
export function internalEndpointsOf(gateway: Endpoints, documents: ApiDocuments): ReadonlyMap<string, Handler> {
  return new Map<string, Handler>([
    ["/metrics", waitingFor(gateway, (req, res) => tellMetrics(gateway, req, res))],
    ["/openapi.json", waitingFor(gateway, (req, res) => tellRoutes(gateway, documents, req, res))],
  ]);
}

/** An asynchronous handler; an error that it throws becomes a problem. */
const waitingFor =
  (gateway: Endpoints, handle: AsyncHandler): Handler =>
  (req, res) =>
    void handle(req, res).catch((error: unknown) => gateway.errorHandler(req, res, error));

function tellStartup({ readiness }: Endpoints, res: ServerResponse): void {
  const { isComplete } = readiness;
  send(res, isComplete ? 200 : 503, { status: isComplete ? "started" : "starting" });
}

function tellReadiness({ readiness, server, admission }: Endpoints, res: ServerResponse): void {
  const { isFull, isStuck } = admission;
  const answer = readiness.answer({ isDraining: server.draining, isFull, isStuck });
  send(res, answer.status === "ready" ? 200 : 503, answer);
}

async function tellMetrics(gateway: Endpoints, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const { broker, streams, admission, entrance, server, metrics } = gateway;
  const { METRICS_TOKEN } = gatewayEnvironment.of(broker);
  if (METRICS_TOKEN === undefined || !isBearer(req, METRICS_TOKEN)) requireAdmin(await identify(gateway, req, res));
  const ofRuntime = broker.metrics.list({ includes: Object.values(METRICS) }) as unknown as Registered[];
  const gauges = {
    http_event_streams: streams.size,
    http_places_taken: admission.taken,
    http_places_max: limits.requestsMax,
    http_requests_waiting: admission.waiting + entrance.waiting,
    http_cache_bytes: gateway.answers.bytes + gateway.responses.bytes,
  };
  const cached = gateway.answers.counts;
  const counters = {
    http_requests_saturated_total: admission.refused + entrance.refusedTotal,
    http_connections_dropped_total: server.dropped,
    http_cache_hits_total: cached.hits,
    http_cache_stale_hits_total: cached.staleHits,
    http_cache_misses_total: cached.misses,
    http_cache_fills_total: cached.fills,
    http_cache_fills_not_stored_total: cached.unstored,
    http_cache_invalidations_total: cached.invalidations,
  };
  const text = metrics.text(gauges, [...ofRuntime, ...entranceMetrics(entrance)], counters);
  res.writeHead(200, { "Content-Type": "text/plain; version=0.0.4", "Cache-Control": "no-store" }).end(text);
}

async function tellRoutes(
  gateway: Endpoints,
  documents: ApiDocuments,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const { user } = gateway.callers.isAnonymous(req) ? { user: ANONYMOUS } : await identify(gateway, req, res);
  // Roles do not say what a key with scopes may do.
  const roles = user.scopes === undefined ? user.roles : [];
  res.setHeader("Vary", `Authorization, ${VARY}`);
  bodyOf(documents.for(roles)).send(res);
}

/** The caller of an endpoint; wrong credentials count as on any route. */
function identify(gateway: Endpoints, req: IncomingMessage, res: ServerResponse): Promise<Verified> {
  const address = addressOf(req, gateway.proxies);
  return limitFailuresOf(gateway, { req, res, address }, () => gateway.callers.identify(req));
}

/** No permission stands for this text, so a key that is narrowed to some does not open it. */
function requireAdmin(caller: Verified): void {
  requireRole(caller, ["admin"]);
  if (caller.user.scopes !== undefined)
    throw callErrors.FORBIDDEN({ message: "a key with scopes does not open this: METRICS_TOKEN is for machines" });
}

/** A document is written and compressed once: it has some 100 kB, and anyone may ask for it. */
const bodies = new WeakMap<object, KeptBody>();
function bodyOf(document: object): KeptBody {
  let body = bodies.get(document);
  if (!body) bodies.set(document, (body = new KeptBody(JSON.stringify(document))));
  return body;
}
