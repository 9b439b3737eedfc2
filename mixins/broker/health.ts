// Whether this process is well, on a port of its own: most processes of a cluster have no gateway, and where there is
// one a probe must not queue behind its clients.
//
//   /health/live   the main loop answers. It asks no other process: restarting this one would not mend them
//   /health/ready  the broker has started, is not stopping, and has its bus, and each service says that it is ready
//
// Routes for operators may be on it as well (INTERNAL_ROUTES): the gateway gives them.
//
// The port listens from before the first service starts until the last has stopped.
import { once } from "node:events";
import { createServer, STATUS_CODES, type Server, type ServerResponse } from "node:http";
import type { Middleware, ServiceBroker } from "moleculer";
import {
  type ErrorFactory,
  internalRoutesOf,
  nodeEnvironment,
  PROBLEM_JSON,
  problemType,
  unreadyServices,
} from "../kernel/index.ts";
import { callErrors } from "../contract/index.ts";
import { brokerErrors } from "./errors.ts";

const limits = {
  /** Milliseconds that a request may take to arrive, and between two checks for late ones: Node's default is 30 s. */
  requestMs: 5_000,
  checkMs: 1_000,
  /** Connections at once: an orchestrator opens one or a few. */
  connectionsMax: 64,
};

const servers = new WeakMap<ServiceBroker, Server>();
/** Brokers that have started; those that have stopped since stay in it. */
const started = new WeakSet<ServiceBroker>();

/** Listens on HEALTH_PORT; without that variable it does nothing. */
export const health: Middleware = {
  name: "Health",
  async starting(broker: ServiceBroker) {
    const { HEALTH_PORT } = nodeEnvironment.of(broker);
    if (HEALTH_PORT === undefined) return;
    const server = serverOf(broker);
    // This server alone does not keep the process alive.
    server.unref();
    servers.set(broker, server);
    try {
      await once(server.listen(HEALTH_PORT), "listening");
    } catch (cause) {
      throw new Error(`the health port cannot be opened (HEALTH_PORT): ${(cause as Error).message}`, { cause });
    }
    broker.logger.info("health listens on", server.address());
  },
  async started(broker: ServiceBroker) {
    started.add(broker);
  },
  async stopped(broker: ServiceBroker) {
    const server = servers.get(broker);
    if (!server?.listening) return;
    const closed = once(server, "close");
    server.close().closeAllConnections();
    await closed;
  },
};

function serverOf(broker: ServiceBroker): Server {
  const { requestMs: requestTimeout, checkMs: connectionsCheckingInterval } = limits;
  const options = { requestTimeout, headersTimeout: requestTimeout, connectionsCheckingInterval };
  const server = createServer(options, (req, res) => {
    // The probe's connection is not kept: a stop would have to close it.
    res.shouldKeepAlive = false;
    if (internalRoutesOf(broker)?.(req, res)) return;
    if (req.method !== "GET" && req.method !== "HEAD")
      return problem(res, callErrors.METHOD_NOT_ALLOWED, "GET or HEAD");
    if (req.url === "/health/live") return send(res, 200, "application/json", { status: "live" });
    if (req.url !== "/health/ready") return problem(res, callErrors.NOT_FOUND, "/health/live or /health/ready");
    const why = unreadyBy(broker);
    if (why !== undefined) return problem(res, brokerErrors.NOT_READY, why);
    send(res, 200, "application/json", { status: "ready" });
  });
  server.maxConnections = limits.connectionsMax;
  return server;
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

type Kind = Pick<ErrorFactory, "code" | "status">;

function problem(res: ServerResponse, { code, status }: Kind, detail: string): void {
  send(res, status, PROBLEM_JSON, { type: problemType(code), title: STATUS_CODES[status], status, detail });
}

function send(res: ServerResponse, status: number, contentType: string, body: object): void {
  res.writeHead(status, { "Content-Type": contentType, "Cache-Control": "no-store" }).end(JSON.stringify(body));
}
