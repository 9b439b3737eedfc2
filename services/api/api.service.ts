// The gateway: moleculer-web is the router, `front-door.ts` stands before it, `exchange.ts` behind it, `problem.ts`
// writes every error. Routes are functions, not action names: so no action is callable that no route names, params are
// built field by field, and nothing that a service puts into a context's meta reaches the client.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Service, ServiceSchema } from "moleculer";
import type { JSONWebKeySet } from "jose";
import ApiGateway from "moleculer-web";
import { callErrors, typedCall } from "@valence/runtime/contract";
import { environmentOf, METRICS, stopsFirst, stopTimeLeft, systemClock } from "@valence/runtime/kernel";
import { COMMITTED, STOPPED, type Committed, type ConsumerStopped } from "@valence/runtime/stream";
import { Authenticator, isBearer } from "./authentication.ts";
import { documentOf } from "./document.ts";
import { exchange, type GatewayRequest } from "./exchange.ts";
import { frontDoor, pathOf, requestId, type Handler } from "./front-door.ts";
import { limits } from "./limits.ts";
import { HttpMetrics, type Registered } from "./metrics.ts";
import { OrderStreams } from "./order-streams.ts";
import { Places } from "./places.ts";
import { sendProblem, toProblem } from "./problem.ts";
import { send } from "./respond.ts";
import { concernsSecurity, SecurityLog, securityLine, type Told } from "./security-log.ts";
import type { Route } from "./route.ts";
import { routes } from "./routes/index.ts";
import { HttpServer } from "./server.ts";

interface Alias {
  readonly method: string;
  readonly fullPath: string;
  match(path: string): object | false;
  toString: () => string;
}
interface Match {
  readonly alias: Alias;
  readonly params: object;
}
type Gateway = Service & {
  readonly aliases: readonly Alias[];
  /** Where the last path leads, whatever the method: the front door asks first, the router next. */
  matches: { readonly path: string; readonly found: readonly Match[] };
  matching(path: string): readonly Match[];
  errorHandler(req: IncomingMessage, res: ServerResponse, error: unknown): void;
  regenerateAllAutoAliases: () => void;
  express(): (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void;
  authenticator: Authenticator;
  streams: OrderStreams;
  metrics: HttpMetrics;
  server: HttpServer;
  places: Places;
  proxies: number;
  /** Whether every routed service has been there. */
  complete: boolean;
  /** Consumers that stand still, and when that was said last; monotonic. */
  stopped: Map<string, number>;
  /** OpenAPI, until the services change: of administrators, and of all others. */
  documents: { admin?: object; all?: object };
  securityLog: SecurityLog;
  /** Whether an administrator asks. Refuses (401) who brings no valid token. */
  isAdmin(req: IncomingMessage): Promise<boolean>;
  /** Where it listens: `http://localhost:3000`. */
  url: string;
};

/** What ends a request that nobody waits for any more; it is no failure, and nobody is told. */
const GONE = new Error("the client has left");

/**
 * A route for moleculer-web: synchronous, since it leaves a rejected promise of an alias unhandled. It waits for the
 * response to finish or close, from when it routes: one that was closed by then does neither any more.
 */
const aliasOf = (route: Route) =>
  function (this: Gateway, req: IncomingMessage, res: ServerResponse, next: (error: unknown) => void): void {
    void exchange(this, route, req as GatewayRequest, res).then(() => res.destroyed && next(GONE), next);
  };

const schema: ServiceSchema<any, any, any, Gateway> = {
  name: "api",
  mixins: [ApiGateway],
  settings: {
    server: false,
    $secureSettings: ["routes"],
    logRequest: null,
    logRequestParams: null,
    logResponse: null,
    logRouteRegistration: null,
    routes: [
      {
        path: "/",
        mappingPolicy: "restrict",
        // Path params stay apart from the rest; query and body are read by the route itself.
        mergeParams: false,
        bodyParsers: false,
        pathToRegexpOptions: { sensitive: true, trailing: false },
        aliases: Object.fromEntries(routes.map(route => [`${route.method} ${route.url}`, aliasOf(route)])),
      },
    ],
  },
  // The mixin's own: a public list of aliases, and routes that change while it runs.
  actions: {
    // A request is at work here for as long as its client takes to send and to read: `places.ts` bounds what we do.
    rest: { bulkhead: false } as object,
    listAliases: false,
    addRoute: false,
    removeRoute: false,
  },
  events: {
    [COMMITTED](this: Gateway, ctx: { params: Committed }) {
      if (ctx.params.service === "orders") this.streams.wake();
    },
    [STOPPED](this: Gateway, ctx: { params: ConsumerStopped }) {
      const { service, consumer, source } = ctx.params;
      this.stopped.set(`${service}: ${consumer} on ${source}`, performance.now());
    },
  },
  methods: {
    /** moleculer-web's parser (qs) makes objects of `a[b]`; each route reads its query by its own schema instead. */
    parseQueryString: (req: IncomingMessage) => ({ url: pathOf(req), query: {} }),
    matching(this: Gateway, path: string): readonly Match[] {
      if (this.matches.path !== path) {
        const found = this.aliases.map(alias => ({ alias, params: alias.match(path) }));
        this.matches = { path, found: found.filter((match): match is Match => match.params !== false) };
      }
      return this.matches.found;
    },
    /** In place of moleculer-web's, which matches every alias once more. */
    resolveAlias(this: Gateway, path: string, method: string): Match | false {
      return this.matching(path).find(({ alias }) => alias.method === method) ?? false;
    },
    /** The end of every error, from the router and from the routes. */
    errorHandler(this: Gateway, req: IncomingMessage, res: ServerResponse, error: unknown): void {
      if (error === GONE) return;
      const mapped = toProblem(error, requestId(req));
      if (mapped.problem.status === 500)
        this.logger.error(`${req.method} ${pathOf(req)} failed, request ${requestId(req)}:`, error);
      if (concernsSecurity(mapped.problem))
        this.securityLog.tell(securityLine(mapped.problem, toldOf(req, this.proxies)));
      sendProblem(req, res, mapped);
    },
    async isAdmin(this: Gateway, req: IncomingMessage): Promise<boolean> {
      const { user } = await this.authenticator.authenticate(req.headers.authorization);
      return user.roles.includes("admin");
    },
  },

  created(this: Gateway) {
    const environment = environmentOf(this.broker);
    const fetchKeys = () => typedCall(this.broker)("accounts.jwks", {}) as Promise<JSONWebKeySet>;
    this.authenticator = new Authenticator({ fetchKeys, issuer: environment.tokenIssuer, clock: systemClock });
    this.streams = new OrderStreams(systemClock, environment.workers);
    this.metrics = new HttpMetrics();
    this.stopped = new Map();
    this.proxies = environment.trustedProxies;
    const say = (message: string) => this.logger.warn(message);
    this.places = new Places({ clock: systemClock, say });
    this.documents = {};
    this.securityLog = new SecurityLog(line => this.logger.warn(line));
    // moleculer-web calls it when services come or go. It would list aliases anew, of which we have no automatic ones.
    this.regenerateAllAutoAliases = () => (this.documents = {});
    this.matches = { path: "", found: [] };
    // For a line of its debug log moleculer-web draws the alias in colours at each request, whatever the level.
    for (const alias of this.aliases) alias.toString = () => alias.fullPath;
    const router = this.express();
    const enter = frontDoor({
      methodsOf: path => methodsOf(this.matching(path)),
      plain: plainOf(this),
      handle: (req, res) => router(req, res, error => this.errorHandler(req, res, error)),
      fail: (req, res, error) => this.errorHandler(req, res, error),
    });
    const serve: Handler = (req, res) => {
      const startedAt = performance.now();
      res.once("close", () => {
        const route = (req as { $alias?: Alias }).$alias?.fullPath ?? "none";
        this.metrics.observe(req.method!, route, res.statusCode, (performance.now() - startedAt) / 1_000);
      });
      enter(req, res);
    };
    this.server = new HttpServer(serve, { proxies: this.proxies, say });
    stopsFirst(this, () => this.server.drain(stopTimeLeft(this.broker), () => this.streams.drain()));
  },

  async started(this: Gateway) {
    const port = await this.server.listen(environmentOf(this.broker).port).catch((error: Error) => {
      throw new Error(`the gateway cannot listen (PORT): ${error.message}`, { cause: error });
    });
    this.metrics.start();
    this.url = `http://localhost:${port}`;
    this.logger.info(`listening on ${this.url}`);
    // For scripts, which must not depend on how a log is formatted.
    if (this.broker.options.logger !== false) process.stdout.write(`LISTENING ${this.url}\n`);
  },

  stopped(this: Gateway) {
    this.metrics.stop();
  },
};
export default schema;

const STREAMED = new Set(routes.filter(route => "stream" in route.target).map(route => route.url));
/** The services that a gateway needs before it is ready. */
const ROUTED = new Set(routes.map(({ target }) => ("stream" in target ? "orders" : target.action.split(".", 1)[0]!)));

/** A stream has no HEAD: it would hold a connection that never gets a byte. */
function methodsOf(found: readonly Match[]): readonly string[] {
  const head = found.some(({ alias }) => alias.method === "GET" && !STREAMED.has(alias.fullPath)) ? ["HEAD"] : [];
  return [...found.map(({ alias }) => alias.method), ...head];
}

/** Consumers of which it was said lately that they stand still: it is said again every few seconds. */
function stoppedBy({ stopped }: Gateway): string[] {
  for (const [name, at] of stopped) if (performance.now() - at > limits.stoppedMs) stopped.delete(name);
  return [...stopped.keys()].sort();
}

/** Live at once; ready from when every routed service is there until the drain begins. */
function plainOf(gateway: Gateway): ReadonlyMap<string, Handler> {
  const { broker } = gateway;
  /** For a handler that waits; what it throws becomes a problem. */
  const waiting =
    (handle: (req: IncomingMessage, res: ServerResponse) => Promise<void>): Handler =>
    (req, res) =>
      void handle(req, res).catch((error: unknown) => gateway.errorHandler(req, res, error));
  return new Map<string, Handler>([
    [
      "/",
      (_req, res) =>
        send(res, 200, { name: "Valence commerce API", description: "/openapi.json", health: "/health/ready" }),
    ],
    ["/health/live", (_req, res) => send(res, 200, { status: "live" })],
    [
      "/health/ready",
      (_req, res) => {
        const there = broker.registry.getServiceList({ onlyAvailable: true }).map(service => service.name);
        const missing = [...ROUTED].filter(service => !there.includes(service));
        // A shop without its first products and administrator would turn its first customers away.
        const seed = broker.getLocalService("seed") as { filled?: boolean } | undefined;
        if (seed?.filled === false) missing.push("seed");
        // Complete once, it stays: the routes of a service that leaves answer 503. Were the gateway unready, so would all
        // be, at once, and no balancer would send anybody to the routes that are left.
        gateway.complete ||= missing.length === 0;
        const { server, places, complete } = gateway;
        const status = server.draining ? "draining" : !complete ? "starting" : places.isStuck ? "stuck" : "ready";
        // Neither is a consumer that stands still: what does not need it goes on.
        const stopped = stoppedBy(gateway);
        // Full but moving is ready: were it not, a rush would take one gateway after the other from the balancer.
        send(res, status === "ready" ? 200 : 503, {
          status,
          missing,
          ...(places.isFull && { saturated: true }),
          ...(stopped.length > 0 && { stopped }),
        });
      },
    ],
    [
      "/metrics",
      waiting(async (req, res) => {
        const { metricsToken } = environmentOf(broker);
        if ((metricsToken === undefined || !isBearer(req, metricsToken)) && !(await gateway.isAdmin(req)))
          throw callErrors.FORBIDDEN({ message: "this asks for the role admin" });
        const ours = broker.metrics.list({ includes: Object.values(METRICS) }) as unknown as Registered[];
        const { streams, places, server, metrics } = gateway;
        const gauges = {
          http_event_streams: streams.size,
          http_places_taken: places.taken,
          http_places_max: limits.requestsMax,
          http_requests_waiting: places.waiting,
        };
        const counters = {
          http_requests_saturated_total: places.refused,
          http_connections_dropped_total: server.dropped,
        };
        const text = metrics.text(gauges, ours, counters);
        res.writeHead(200, { "Content-Type": "text/plain; version=0.0.4", "Cache-Control": "no-store" }).end(text);
      }),
    ],
    [
      "/openapi.json",
      waiting(async (req, res) => {
        const isAdmin = req.headers.authorization !== undefined && (await gateway.isAdmin(req));
        res.setHeader("Vary", "Authorization");
        const { documents } = gateway;
        documents[isAdmin ? "admin" : "all"] ??= documentOf(broker, routes, isAdmin);
        send(res, 200, documents[isAdmin ? "admin" : "all"]);
      }),
    ],
  ]);
}

const toldOf = (req: IncomingMessage, proxies: number): Told => {
  const { $alias, $ctx, $email } = req as Partial<GatewayRequest> & { $alias?: Alias };
  const { user } = ($ctx?.meta ?? {}) as { user?: { id: string } };
  return {
    req,
    proxies,
    route: $alias?.fullPath ?? (pathOf(req) === "/metrics" ? "/metrics" : "none"),
    user: user?.id,
    email: $email,
  };
};
