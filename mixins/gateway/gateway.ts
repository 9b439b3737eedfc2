// The HTTP gateway as a service. A request passes, in this order: `http/server.ts` (connections, one request at a time
// on each), `http/request-guard.ts`, `endpoints.ts` or the router (`moleculer-web.ts`), and `pipeline.ts`. Every error
// ends in `http/problem.ts`.
//
// A stop drains first: readiness says so, streams end, and the port closes when no client is between two requests.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ServiceBroker, ServiceSchema } from "moleculer";
import type { JSONWebKeySet } from "jose";
import {
  listensAt,
  logFor,
  nodeEnvironment,
  serveInternally,
  stopsFirst,
  stopTimeLeft,
  systemClock,
  type InternalRoutes,
} from "../kernel/index.ts";
import { CHANGED, type Changed } from "../contract/index.ts";
import { measureProcess } from "../metrics/index.ts";
import { logEnvironment, processLog } from "../log/index.ts";
import { redisEnvironment } from "../redis/index.ts";
import { tracing } from "../tracing/index.ts";
import { COMMITTED, STOPPED, type Committed, type ConsumerStopped } from "../stream/index.ts";
import { Admission } from "./admission/admission.ts";
import { EventDocument } from "./asyncapi/event-document.ts";
import { apiKeyId } from "./auth/api-key.ts";
import { enter } from "./admission/enter.ts";
import { Entrance } from "./admission/entrance.ts";
import { LoopClock } from "./admission/loop-clock.ts";
import { Authenticator } from "./auth/authentication.ts";
import { Callers } from "./auth/callers.ts";
import type { ExchangedKind } from "./auth/credential.ts";
import { CrossSite } from "./auth/cross-site.ts";
import { CREDENTIALS_CHANGED, Exchanges, type CredentialsChanged } from "./auth/exchanges.ts";
import { SessionCookies } from "./auth/session-cookies.ts";
import { AnswerCache } from "./cache/answer-cache.ts";
import { ResponseCache } from "./cache/response-cache.ts";
import {
  addressOf,
  Cors,
  guardRequests,
  type Handler,
  HttpServer,
  pathOf,
  type Problem,
  requestId,
  sendProblem,
  toProblem,
} from "../http/siblings.ts";
import { endpointsOf, internalEndpointsOf, problemsOf } from "./endpoints.ts";
import { gatewayEnvironment } from "./environment.ts";
import { gatewayErrors } from "./errors.ts";
import { isInternal } from "./internal-routes.ts";
import { methodsOf, patternOf, routeOf, Router, type RouterService } from "./moleculer-web.ts";
import { AccessLog, shareOf } from "./observability/access-log.ts";
import { measureGateway, type Measure } from "./observability/measure.ts";
import { spanOf, traceRequests } from "./observability/request-spans.ts";
import { concernsSecurity, SecurityLog, securityLine, type RefusedRequest } from "./observability/security-log.ts";
import { credentialsOf } from "./openapi/credentials.ts";
import { ApiDocuments, type ApiInfo } from "./openapi/document.ts";
import type { GatewayRequest, Step } from "./exchange.ts";
import { passThrough, pipelineOf } from "./pipeline.ts";
import { announceOn } from "./versions/announce.ts";
import { Readiness } from "./readiness.ts";
import { serviceOf, type Route } from "./route/route.ts";
import { Images, type ImagesOptions } from "./images/images.ts";
import { EventStreams } from "./sse/event-streams.ts";
import { ASSETS, Pages, type PagesOptions } from "./web/pages.ts";
import { Downloads } from "./versions/downloads.ts";

export interface GatewayOptions {
  /** Name and text of the API, which `GET /` and `/openapi.json` show. */
  readonly api: ApiInfo;
  /** Every route of the API. The gateway is ready once it has seen each service that they name. */
  readonly routes: readonly Route[];
  /** The action that answers the public keys of access tokens as a JWK set. Default `accounts.jwks`. */
  readonly keys?: string;
  /** The action that exchanges API keys, cookies and an issuer's tokens for access tokens. Default `accounts.exchange`. */
  readonly exchange?: string;
  /**
   * Names of the browser sessions, each with a cookie of its own, the usual one first: two pages on one host can be
   * logged in as two people. Lower-case letters, digits and hyphens. Default `main`.
   */
  readonly sessions?: readonly string[];
  /**
   * The service that keeps first answers to Idempotency-Keys where there is no Redis, by its actions `claimAnswer`,
   * `finishAnswer` and `releaseAnswer`. Default `accounts`.
   */
  readonly answers?: string;
  /** Pages for browsers. Default none. */
  readonly pages?: PagesOptions;
  /** Images of things, `/images/<id>/<width>.<format>`. Default none. */
  readonly images?: ImagesOptions;
}

export type GatewayService = RouterService & {
  callers: Callers;
  exchanges: Exchanges;
  streams: EventStreams;
  downloads: Downloads;
  admission: Admission;
  entrance: Entrance;
  answers: AnswerCache;
  responses: ResponseCache;
  pipeline: readonly Step[];
  readiness: Readiness;
  documents: ApiDocuments;
  internalDocuments: ApiDocuments;
  eventDocument: EventDocument;
  measure: Measure;
  securityLog: SecurityLog;
  /** Undefined when it is off. */
  accessLog: AccessLog | undefined;
  server: HttpServer;
  /** Undefined when there are none. */
  pages: Pages | undefined;
  images: Images | undefined;
  apiName: string;
  /** By URL, the routes that have a successor. */
  retiring: ReadonlyMap<string, Route["retires"]>;
  proxies: number;
  /** The URL of the gateway: `http://localhost:3000`. */
  url: string;
  errorHandler(req: IncomingMessage, res: ServerResponse, error: unknown): void;
};

/**
 * The schema of the service `api`. It listens on PORT from its start on; a taken port fails the start.
 * `export default Gateway({ api: { name: "Library API" }, routes })`
 */
export const Gateway = ({
  api,
  routes,
  keys = "accounts.jwks",
  exchange = "accounts.exchange",
  sessions = ["main"],
  answers: keyService = "accounts",
  pages,
  images,
}: GatewayOptions): ServiceSchema<any, any, any, GatewayService> => ({
  name: "api",
  mixins: [
    Router<GatewayService>(routes, ({ pipeline, proxies }, route, req, res) =>
      passThrough(pipeline, route, { req, res, address: addressOf(req, proxies) }).finally(() => req.$turn?.end()),
    ),
  ],
  events: {
    [COMMITTED](this: GatewayService, { params: { service, streams } }: { params: Committed }) {
      this.streams.wake(service);
      this.answers.invalidate(streams ?? [service]);
    },
    [CHANGED](this: GatewayService, { params: { tags } }: { params: Changed }) {
      this.answers.invalidate(tags);
    },
    [CREDENTIALS_CHANGED](this: GatewayService, { params: { user } }: { params: CredentialsChanged }) {
      this.exchanges.forget(user);
      this.streams.checkCaller(user);
    },
    [STOPPED](this: GatewayService, { params }: { params: ConsumerStopped }) {
      this.readiness.consumerStopped(params);
    },
  },
  methods: {
    /** The last place of every error, from the router, the guard, the endpoints and the pipeline. */
    errorHandler(this: GatewayService, req: IncomingMessage, res: ServerResponse, error: unknown): void {
      const mapped = toProblem(error, requestId(req));
      tellOfError(this, req, mapped.problem, error);
      announceOn(res, req, this.retiring.get(patternOf(this, req) ?? ""));
      sendProblem(req, res, mapped);
    },
  },

  created(this: GatewayService) {
    const { broker } = this;
    const environment = gatewayEnvironment.of(broker);
    const { TOKEN_ISSUER, TRUSTED_PROXIES, PUBLIC_URL, CACHE_MB, OIDC_ISSUER: issuer } = environment;
    const warn = (line: string) => this.logger.warn(line);
    const fetchKeys = () => broker.call<JSONWebKeySet, object>(keys, {});
    const authenticator = new Authenticator({ fetchKeys, issuer: TOKEN_ISSUER, clock: systemClock });
    const exchanged = async (kind: ExchangedKind, credential: string) => {
      const keyId = kind === "key" ? apiKeyId(credential) : undefined;
      if (kind === "key" && keyId === undefined) throw gatewayErrors.INVALID_KEY();
      const { token } = await broker.call<{ token: string }, object>(exchange, { kind, credential });
      return { ...(await authenticator.check(token)), ...(keyId !== undefined && { keyId }) };
    };
    this.exchanges = new Exchanges(exchanged, systemClock);
    const cookies = new SessionCookies(sessions, PUBLIC_URL);
    const crossSite = new CrossSite(PUBLIC_URL, environment.ALLOWED_ORIGINS);
    this.callers = new Callers({ authenticator, exchanges: this.exchanges, cookies, crossSite, issuer });
    this.downloads = new Downloads();
    this.streams = new EventStreams({
      clock: systemClock,
      processes: nodeEnvironment.of(broker).WORKERS,
      call: (action, params) => broker.call(action, params),
    });
    this.admission = new Admission({
      clock: systemClock,
      callMsMax: nodeEnvironment.of(broker).REQUEST_TIMEOUT_MS,
      say: warn,
    });
    this.entrance = new Entrance({ clock: systemClock, waits: new LoopClock(systemClock) });
    // Half for what actions have answered, half for the responses that were made from it.
    const bytesMax = hearsOfChanges(broker) ? (CACHE_MB * 1024 * 1024) / 2 : 0;
    this.answers = new AnswerCache({ clock: systemClock, bytesMax });
    this.responses = new ResponseCache({ answers: this.answers, bytesMax });
    forgetAtCuts(broker, this.answers);
    const { callers, streams, downloads, admission, answers, responses } = this;
    this.pipeline = pipelineOf({
      broker,
      routes,
      callers,
      cookies,
      crossSite,
      streams,
      downloads,
      admission,
      answers,
      responses,
      keyService,
    });
    this.securityLog = new SecurityLog(warn);
    this.apiName = api.name;
    this.retiring = new Map(routes.flatMap(({ url, retires }) => (retires ? [[url, retires]] : [])));
    this.proxies = TRUSTED_PROXIES;
    const keysOwner = keys.slice(0, keys.lastIndexOf("."));
    this.readiness = new Readiness({ broker, needed: [keysOwner, ...routes.map(serviceOf)] });
    const share = broker.options.logger === false ? undefined : shareOf(environment.ACCESS_LOG);
    const { nodeID: node } = broker;
    this.accessLog =
      share === undefined ? undefined : new AccessLog({ share, proxies: this.proxies, node, log: processLog(broker) });
    const isApart = environment.INTERNAL_ROUTES === "internal";
    const isOpen = (path: string): boolean => !isApart || !isInternal(path);
    const [open, internal] = [routes.filter(({ url }) => isOpen(url)), routes.filter(({ url }) => isInternal(url))];
    const credentials = credentialsOf(cookies, issuer);
    const described = { broker, info: api, credentials, percent: environment.RATE_LIMIT_PERCENT };
    this.documents = new ApiDocuments({ ...described, routes: open, url: PUBLIC_URL });
    this.internalDocuments = new ApiDocuments({ ...described, routes: internal });
    this.eventDocument = new EventDocument(broker, api);
    this.servicesChanged = () => {
      this.documents.forget();
      this.internalDocuments.forget();
      this.eventDocument.forget();
    };
    const served = { broker, origin: PUBLIC_URL, assets: environment.ASSET_BASE_URL };
    this.pages = pages && environment.WEB ? new Pages(pages, this.logger, served) : undefined;
    const endpoints = new Map([...endpointsOf(this)].filter(([path]) => isOpen(path)));
    this.measure = measureGateway(this, routes);
    this.images = images && imagesOf(this, images);
    const problemFor = problemsOf(this);
    const pageFor = (req: IncomingMessage) =>
      this.images?.handlerFor(req) ?? problemFor(req) ?? this.pages?.handlerFor(req);
    const handler = handlerOf(this, { routes, endpoints, has: isOpen, pageFor });
    this.server = new HttpServer(handler, {
      proxies: this.proxies,
      say: warn,
      keepAliveMs: environment.KEEP_ALIVE_MS,
      headersTimeoutMs: environment.HEADERS_TIMEOUT_MS,
      bodyTimeoutMs: environment.REQUEST_BODY_TIMEOUT_MS,
    });
    if (isApart) serveInternally(broker, internalRoutes(this, routes));
    stopsFirst(this, () => this.server.drain(stopTimeLeft(broker), () => this.streams.drain()));
  },

  async started(this: GatewayService) {
    const builds = logEnvironment.of(this.broker).NODE_ENV !== "production";
    // Nobody waits for pages.
    void this.pages?.start({ builds });
    const port = await this.server.listen(gatewayEnvironment.of(this.broker).PORT).catch((error: Error) => {
      throw new Error(`the gateway cannot listen (PORT): ${error.message}`, { cause: error });
    });
    await measureProcess(this.broker);
    this.url = `http://localhost:${port}`;
    listensAt(this, this.url);
    this.logger.info(`listening on ${this.url}`);
    // For scripts, which must not depend on the format of a log.
    if (this.broker.options.logger !== false) process.stdout.write(`LISTENING ${this.url}\n`);
  },

  stopped(this: GatewayService) {
    this.pages?.stop();
  },
});

/** The routes and endpoints of one port. */
interface Served {
  readonly routes: readonly Route[];
  /** Handlers beside the API, by path. */
  readonly endpoints: ReadonlyMap<string, Handler>;
  /** Whether a path of a route is on this port. */
  readonly has: (path: string) => boolean;
  /** The handler of a page or an image. */
  readonly pageFor?: (req: IncomingMessage) => Handler | undefined;
}

function imagesOf(gateway: GatewayService, options: ImagesOptions): Images {
  const { broker, logger: log } = gateway;
  const { IMAGE_DIR: folder, IMAGE_NETWORKS: networks, IMAGES_MB } = gatewayEnvironment.of(broker);
  const fail = (req: IncomingMessage, res: ServerResponse, error: unknown): void =>
    gateway.errorHandler(req, res, error);
  return new Images(options, { broker, folder, networks, bytesMax: IMAGES_MB * 1024 * 1024, log, fail });
}

/** The routes for operators, on a port of their own. */
function internalRoutes(gateway: GatewayService, routes: readonly Route[]): InternalRoutes {
  const own = internalEndpointsOf(gateway, gateway.internalDocuments);
  return endpoints => handlerOf(gateway, { routes, endpoints: new Map([...endpoints, ...own]), has: isInternal });
}

/** Measures a request, guards it and routes it. */
function handlerOf(gateway: GatewayService, { routes, endpoints, has, pageFor }: Served): Handler {
  const { ALLOWED_ORIGINS, PUBLIC_URL: publicUrl } = gatewayEnvironment.of(gateway.broker);
  const router = gateway.express();
  const guarded = guardRequests({
    methodsOf: path => (has(path) ? methodsOf(gateway, path) : []),
    plain: endpoints,
    ...(pageFor && { pageFor }),
    handle: enter(gateway, routes, (req, res) => router(req, res, error => gateway.errorHandler(req, res, error))),
    cors: new Cors(ALLOWED_ORIGINS),
    answerKept: (req, res, fields) => gateway.responses.answer(req, res, fields),
    fail: (req, res, error) => gateway.errorHandler(req, res, error),
  });
  const traced = traceRequests(guarded, {
    isTraced: path => !endpoints.has(path) && !path.startsWith(ASSETS),
    publicUrl,
  });
  return (req, res) => {
    const startedAt = performance.now();
    // The guard makes a GET of HEAD.
    const method = req.method!;
    const logged = gateway.accessLog?.begin(req, res);
    // Before the listener that lets the next request of the connection begin, whose bytes are not ours.
    res.prependOnceListener("close", () => {
      const ms = performance.now() - startedAt;
      const route = routeOf(req);
      gateway.measure(req, res, method, route ?? "none", ms);
      logged?.(route ?? (endpoints.has(pathOf(req)) ? pathOf(req) : "none"), ms);
    });
    traced(req, res);
  };
}

/**
 * Whether a change that any process makes is told to this one. With Redis there are others on the same data; without a bus
 * they are not heard, and an answer that is kept would outlive their changes.
 */
const hearsOfChanges = (broker: ServiceBroker): boolean =>
  Boolean(broker.options.transporter) || redisEnvironment.of(broker).REDIS_URL === undefined;

/** Messages about changes are lost while a node or the bus is away: what was kept until then may be untrue. */
function forgetAtCuts({ localBus }: ServiceBroker, answers: AnswerCache): void {
  for (const event of ["$transporter.connected", "$transporter.disconnected", "$node.connected", "$node.disconnected"])
    localBus.on(event, () => answers.clear());
}

/** The lines of the log about a request's error, which are found by its ids: no call is at hand any more. */
function tellOfError(gateway: GatewayService, req: IncomingMessage, problem: Problem, error: unknown): void {
  const isBug = problem.status === 500;
  if (!isBug && !concernsSecurity(problem)) return;
  const { $ctx } = req as Partial<GatewayRequest>;
  const write = (): void => {
    const refused = refusedRequest(req, gateway.proxies);
    if (isBug) gateway.logger.error(`${req.method} ${refused.route} failed, request ${problem.requestId}:`, error);
    else gateway.securityLog.tell(securityLine(problem, refused));
  };
  const active = tracing();
  logFor({ requestID: problem.requestId, meta: $ctx?.meta }, () =>
    active ? active.inside(spanOf(req), write) : write(),
  );
}

function refusedRequest(req: IncomingMessage, proxies: number): RefusedRequest {
  const { $ctx, $email } = req as Partial<GatewayRequest>;
  const { user } = ($ctx?.meta ?? {}) as { user?: { id: string } };
  return {
    req,
    proxies,
    route: routeOf(req) ?? (pathOf(req) === "/metrics" ? "/metrics" : "none"),
    user: user?.id,
    email: $email,
  };
}
