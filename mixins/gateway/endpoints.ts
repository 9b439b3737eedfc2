// The paths that the gateway answers itself, before the router and without any limit: a probe must not wait behind
// clients.
//
//   /              for a browser its page, where there are pages; else the name of the API, and where its description and health are
//   /health/live     the process answers; it asks no other process, since a restart of this one would not mend them
//   /health/startup  every service that a route needs has been seen once: until then a start may take its time
//   /health/ready    see `readiness.ts`
//   /metrics       in Prometheus' text format, for administrators and for the bearer of METRICS_TOKEN
//   /openapi.json  the routes that the asking user may use
//   /asyncapi.json the durable events of all services
//   /docs          the routes as a page, on which requests can be tried
//   /guide         leads to DOCS_URL, where it is set
//   /problems      see `problems/problems.ts`
import type { IncomingMessage, ServerResponse } from "node:http";
import { resolve } from "node:path";
import type { ServiceBroker } from "moleculer";
import { callErrors } from "../contract/index.ts";
import { nodeEnvironment } from "../kernel/index.ts";
import { metersOf, metricsEnvironment, scrape } from "../metrics/index.ts";
import type { Admission } from "./admission/admission.ts";
import type { EventDocument } from "./asyncapi/event-document.ts";
import { ANONYMOUS, type Verified } from "./auth/authentication.ts";
import { requireRole } from "./auth/authorize.ts";
import type { Callers } from "./auth/callers.ts";
import { addressOf, isBearer, type Handler, type HttpServer, KeptBody, send, VARY } from "../http/siblings.ts";
import { gatewayEnvironment } from "./environment.ts";
import { limitFailuresOf } from "./limits/limit-rate.ts";
import { docsPages } from "./openapi/docs-page.ts";
import type { ApiDocuments } from "./openapi/document.ts";
import { problemPages } from "./problems/problems.ts";
import type { Readiness } from "./readiness.ts";
import type { Pages } from "./web/pages.ts";

export interface Endpoints {
  readonly broker: ServiceBroker;
  readonly apiName: string;
  readonly readiness: Readiness;
  readonly documents: ApiDocuments;
  readonly eventDocument: EventDocument;
  readonly callers: Callers;
  /** Proxies before the gateway; see `addressOf`. */
  readonly proxies: number;
  readonly admission: Admission;
  readonly server: HttpServer;
  readonly pages: Pages | undefined;
  errorHandler(req: IncomingMessage, res: ServerResponse, error: unknown): void;
}

type AsyncHandler = (req: IncomingMessage, res: ServerResponse) => Promise<void>;

/** The handlers by path on the public port; GET and HEAD only. */
export function endpointsOf(gateway: Endpoints): ReadonlyMap<string, Handler> {
  const waiting = (handle: AsyncHandler): Handler => waitingFor(gateway, handle);
  const { DOCS_URL } = gatewayEnvironment.of(gateway.broker);
  const about = {
    name: gateway.apiName,
    description: "/openapi.json",
    events: "/asyncapi.json",
    docs: "/docs",
    errors: "/problems",
    ...(DOCS_URL !== undefined && { guide: GUIDE }),
    health: "/health/ready",
  };
  return new Map<string, Handler>([
    ["/", (req, res) => (gateway.pages?.handlerFor(req) ?? ((_req, res) => send(res, 200, about)))(req, res)],
    ["/health/live", (_req, res) => send(res, 200, { status: "live" })],
    ["/health/startup", (_req, res) => tellStartup(gateway, res)],
    ["/health/ready", (_req, res) => tellReadiness(gateway, res)],
    ...metricsOf(gateway),
    ["/openapi.json", waiting((req, res) => tellRoutes(gateway, gateway.documents, req, res))],
    ["/asyncapi.json", waiting(async (_req, res) => bodyOf(gateway.eventDocument.get()).send(res))],
    ...docsPages(gateway.apiName, waiting),
    ...(DOCS_URL === undefined ? [] : [[GUIDE, leadTo(DOCS_URL)] as const]),
  ]);
}
const GUIDE = "/guide";

/** 302: the guide may move. */
const leadTo =
  (location: string): Handler =>
  (_req, res) =>
    send(res, 302, undefined, { Location: location });

/** The handler of a page on errors; undefined for another path. GET and HEAD only. */
export function problemsOf(gateway: Endpoints): (req: IncomingMessage) => Handler | undefined {
  const { SERVICEDIR } = nodeEnvironment.of(gateway.broker);
  return problemPages(resolve(SERVICEDIR), handle => waitingFor(gateway, handle));
}

/** The handlers by path on the internal port, besides health; GET and HEAD only. */
export function internalEndpointsOf(gateway: Endpoints, documents: ApiDocuments): ReadonlyMap<string, Handler> {
  return new Map<string, Handler>([
    ...metricsOf(gateway),
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

/** None with METRICS=off. */
const metricsOf = (gateway: Endpoints): [path: string, Handler][] =>
  metersOf(gateway.broker) ? [["/metrics", waitingFor(gateway, (req, res) => tellMetrics(gateway, req, res))]] : [];

async function tellMetrics(gateway: Endpoints, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const { METRICS_TOKEN } = metricsEnvironment.of(gateway.broker);
  if (METRICS_TOKEN === undefined || !isBearer(req, METRICS_TOKEN)) requireAdmin(await identify(gateway, req, res));
  const { type, text } = (await scrape(gateway.broker, req.headers.accept))!;
  send(res, 200, text, { "Content-Type": type });
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
  return limitFailuresOf(gateway, { req, res, address }, async () => gateway.callers.identify(req));
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
