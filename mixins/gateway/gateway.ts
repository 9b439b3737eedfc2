// The HTTP gateway as a service. A request passes, in this order: `http/server.ts` (connections, one request at a time
// on each), `http/request-guard.ts`, `endpoints.ts` or the router (`moleculer-web.ts`), and `pipeline.ts`. Every error
// ends in `http/problem.ts`.
//
// A stop drains first: readiness says so, streams end, and the port closes when no client is between two requests.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ServiceSchema } from "moleculer";
import type { JSONWebKeySet } from "jose";
import { listensAt, nodeEnvironment, stopsFirst, stopTimeLeft, systemClock } from "../kernel/index.ts";
import { COMMITTED, STOPPED, type Committed, type ConsumerStopped } from "../stream/index.ts";
import { Admission } from "./admission/admission.ts";
import { Authenticator } from "./auth/authentication.ts";
import { endpointsOf } from "./endpoints.ts";
import { addressOf } from "./http/address.ts";
import { sendProblem, toProblem } from "./http/problem.ts";
import { guardRequests, pathOf, requestId, type Handler } from "./http/request-guard.ts";
import { gatewayEnvironment } from "./environment.ts";
import { HttpServer } from "./http/server.ts";
import { CLIENT_LEFT, methodsOf, routeOf, Router, type RouterService } from "./moleculer-web.ts";
import { HttpMetrics } from "./observability/metrics.ts";
import { concernsSecurity, SecurityLog, securityLine, type RefusedRequest } from "./observability/security-log.ts";
import { ApiDocuments, type ApiInfo } from "./openapi/document.ts";
import type { GatewayRequest, Step } from "./exchange.ts";
import { passThrough, pipelineOf } from "./pipeline.ts";
import { Readiness } from "./readiness.ts";
import { serviceOf, type Route } from "./route/route.ts";
import { EventStreams } from "./sse/event-streams.ts";

export interface GatewayOptions {
  /** Name and text of the API, which `GET /` and `/openapi.json` show. */
  readonly api: ApiInfo;
  /** Every route of the API. The gateway is ready once it has seen each service that they name. */
  readonly routes: readonly Route[];
  /** The action that answers the public keys of access tokens as a JWK set. Default `accounts.jwks`. */
  readonly keys?: string;
}

export type GatewayService = RouterService & {
  authenticator: Authenticator;
  streams: EventStreams;
  admission: Admission;
  pipeline: readonly Step[];
  readiness: Readiness;
  documents: ApiDocuments;
  metrics: HttpMetrics;
  securityLog: SecurityLog;
  server: HttpServer;
  apiName: string;
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
}: GatewayOptions): ServiceSchema<any, any, any, GatewayService> => ({
  name: "api",
  mixins: [
    Router<GatewayService>(routes, ({ pipeline, proxies }, route, req, res) =>
      passThrough(pipeline, route, { req, res, address: addressOf(req, proxies) }),
    ),
  ],
  events: {
    [COMMITTED](this: GatewayService, { params: { service } }: { params: Committed }) {
      this.streams.wake(service);
    },
    [STOPPED](this: GatewayService, { params }: { params: ConsumerStopped }) {
      this.readiness.consumerStopped(params);
    },
  },
  methods: {
    /** The last place of every error, from the router, the guard, the endpoints and the pipeline. */
    errorHandler(this: GatewayService, req: IncomingMessage, res: ServerResponse, error: unknown): void {
      if (error === CLIENT_LEFT) return;
      const mapped = toProblem(error, requestId(req));
      if (mapped.problem.status === 500)
        this.logger.error(`${req.method} ${pathOf(req)} failed, request ${requestId(req)}:`, error);
      if (concernsSecurity(mapped.problem))
        this.securityLog.tell(securityLine(mapped.problem, refusedRequest(req, this.proxies)));
      sendProblem(req, res, mapped);
    },
  },

  created(this: GatewayService) {
    const { broker } = this;
    const { PUBLIC_URL, TOKEN_ISSUER, TRUSTED_PROXIES } = gatewayEnvironment.of(broker);
    const warn = (line: string) => this.logger.warn(line);
    const fetchKeys = () => broker.call<JSONWebKeySet, object>(keys, {});
    this.authenticator = new Authenticator({ fetchKeys, issuer: TOKEN_ISSUER, clock: systemClock });
    this.streams = new EventStreams(systemClock, nodeEnvironment.of(broker).WORKERS);
    this.admission = new Admission({ clock: systemClock, say: warn });
    const { authenticator, streams, admission } = this;
    this.pipeline = pipelineOf({ broker, routes, authenticator, streams, admission });
    this.metrics = new HttpMetrics();
    this.securityLog = new SecurityLog(warn);
    this.apiName = api.name;
    this.proxies = TRUSTED_PROXIES;
    const keysOwner = keys.slice(0, keys.lastIndexOf("."));
    this.readiness = new Readiness({ broker, needed: [keysOwner, ...routes.map(serviceOf)] });
    this.documents = new ApiDocuments(broker, api, routes, PUBLIC_URL);
    this.servicesChanged = () => this.documents.forget();
    this.server = new HttpServer(handlerOf(this, routes), { proxies: this.proxies, say: warn });
    stopsFirst(this, () => this.server.drain(stopTimeLeft(broker), () => this.streams.drain()));
  },

  async started(this: GatewayService) {
    const port = await this.server.listen(gatewayEnvironment.of(this.broker).PORT).catch((error: Error) => {
      throw new Error(`the gateway cannot listen (PORT): ${error.message}`, { cause: error });
    });
    this.metrics.start();
    this.url = `http://localhost:${port}`;
    listensAt(this, this.url);
    this.logger.info(`listening on ${this.url}`);
    // For scripts, which must not depend on the format of a log.
    if (this.broker.options.logger !== false) process.stdout.write(`LISTENING ${this.url}\n`);
  },

  stopped(this: GatewayService) {
    this.metrics.stop();
  },
});

/** Measures a request, guards it and routes it. */
function handlerOf(gateway: GatewayService, routes: readonly Route[]): Handler {
  const router = gateway.express();
  const streams = new Set(routes.filter(({ target }) => "stream" in target).map(({ url }) => url));
  const guarded = guardRequests({
    methodsOf: path => methodsOf(gateway, path, streams),
    plain: endpointsOf(gateway),
    handle: (req, res) => router(req, res, error => gateway.errorHandler(req, res, error)),
    fail: (req, res, error) => gateway.errorHandler(req, res, error),
  });
  return (req, res) => {
    const startedAt = performance.now();
    res.once("close", () => {
      const seconds = (performance.now() - startedAt) / 1_000;
      gateway.metrics.observe(req.method!, routeOf(req) ?? "none", res.statusCode, seconds);
    });
    guarded(req, res);
  };
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
