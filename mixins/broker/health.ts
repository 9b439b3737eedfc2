// Whether this process is well, on a port of its own: most processes of a cluster have no gateway, and where there is
// one a probe must not queue behind its clients.
//
//   /health/live     the main loop answers. It asks no other process: restarting this one would not mend them
//   /health/startup  the broker and each service have started, once and for all: until then a start may take its time
//   /health/ready    the broker has started, is not stopping, and has its bus, and each service says that it is ready
//   /metrics         for the bearer of METRICS_TOKEN; where the gateway's routes are on this port, also for administrators
//
// The report of all that the process depends on is for operators alone: `health-report.ts`.
//
// Routes for operators may be on it as well (INTERNAL_ROUTES): the gateway gives them. So the port has the server and the
// guard of the public one.
//
// The port listens from before the first service starts until the last has stopped.
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from "node:http";
import type { Middleware, ServiceBroker } from "moleculer";
import {
  Cors,
  guardRequests,
  HttpServer,
  requestId,
  send,
  sendProblem,
  toProblem,
  type Handler,
} from "../http/siblings.ts";
import { internalRoutesOf, nodeEnvironment, problemType, unreadyServices } from "../kernel/index.ts";
import { measureProcess } from "../metrics/index.ts";
import { metricsEndpoint } from "./metrics-endpoint.ts";
import { brokerErrors } from "./errors.ts";

/** Milliseconds that a connection may be silent, and that a header may take: those of a probe come at once. */
const ARRIVAL_MS = 5_000;

const ENDPOINTS = { live: "/health/live", startup: "/health/startup", ready: "/health/ready" };

const servers = new WeakMap<ServiceBroker, HttpServer>();
/** Brokers that have started; those that have stopped since stay in it. */
const started = new WeakSet<ServiceBroker>();

/** Listens on HEALTH_PORT; without that variable it does nothing. */
export const health: Middleware = {
  name: "Health",
  async starting(broker: ServiceBroker) {
    const { HEALTH_PORT } = nodeEnvironment.of(broker);
    if (HEALTH_PORT === undefined) return;
    const server = new HttpServer(handlerOf(broker), {
      say: line => broker.logger.warn(line),
      keepAliveMs: ARRIVAL_MS,
      headersTimeoutMs: ARRIVAL_MS,
    });
    servers.set(broker, server);
    await measureProcess(broker);
    const port = await server.listen(HEALTH_PORT).catch((cause: Error) => {
      throw new Error(`the health port cannot be opened (HEALTH_PORT): ${cause.message}`, { cause });
    });
    // This server alone does not keep the process alive.
    server.unref();
    broker.logger.info(`health listens on port ${port}`);
  },
  async started(broker: ServiceBroker) {
    started.add(broker);
  },
  async stopped(broker: ServiceBroker) {
    await servers.get(broker)?.close();
  },
};

/** The routes of the gateway beside health, once there is one that has any; else health alone. */
function handlerOf(broker: ServiceBroker): Handler {
  const endpoints = endpointsOf(broker);
  const alone = guardRequests({
    methodsOf: () => [],
    plain: endpoints,
    handle: () => {},
    cors: new Cors([]),
    answerKept: () => false,
    fail: (req, res, error) => sendProblem(req, res, toProblem(error, requestId(req))),
  });
  let withRoutes: Handler | undefined;
  return (req, res) => {
    // The connection of a probe is not kept: a stop would have to close it.
    res.shouldKeepAlive = false;
    withRoutes ??= internalRoutesOf(broker)?.(endpoints);
    (withRoutes ?? alone)(req, res);
  };
}

const endpointsOf = (broker: ServiceBroker): ReadonlyMap<string, Handler> =>
  new Map<string, Handler>([
    ...metricsEndpoint(broker),
    // Some balancers ask for this path, whatever is on it.
    ["/", (_req, res) => send(res, 200, ENDPOINTS)],
    [ENDPOINTS.live, (_req, res) => send(res, 200, { status: "live" })],
    [ENDPOINTS.startup, (req, res) => tell(req, res, "started", started.has(broker) ? undefined : "starting")],
    [ENDPOINTS.ready, (req, res) => tell(req, res, "ready", unreadyBy(broker))],
  ]);

/** `detail`: why it is not so yet. */
function tell(req: IncomingMessage, res: ServerResponse, status: string, detail: string | undefined): void {
  if (detail === undefined) return send(res, 200, { status });
  tellNotReady(req, res, detail);
}

function tellNotReady(req: IncomingMessage, res: ServerResponse, detail: string): void {
  const { code, status } = brokerErrors.NOT_READY;
  const title = STATUS_CODES[status]!;
  const problem = { type: problemType(code), title, status, detail, requestId: requestId(req) };
  sendProblem(req, res, { problem, retryAfterMs: undefined });
}

/** The reason why calls should not come to this node; undefined when it is ready for them. */
function unreadyBy(broker: ServiceBroker): string | undefined {
  if (!started.has(broker)) return "starting";
  // A stop unsets this first, before it tells the other nodes.
  if (!(broker as { started?: boolean }).started) return "draining";
  const { tx } = (broker.transit ?? {}) as { tx?: { connected: boolean } };
  if (tx?.connected === false) return "the connection to the other nodes is gone";
  const unready = unreadyServices(broker);
  return unready.length > 0 ? `not ready yet: ${unready.join(", ")}` : undefined;
}
