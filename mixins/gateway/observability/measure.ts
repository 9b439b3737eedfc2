// Counts the requests of a gateway by route, and tells at a scrape how full it is.
import type { IncomingMessage, ServerResponse } from "node:http";
import { metersOf, reading, type Meters, type Reading } from "../../metrics/index.ts";
import type { GatewayService } from "../gateway.ts";
import { limits } from "../limits.ts";
import { gatewayMetrics } from "../metrics.ts";
import { isLasting, type Route } from "../route/route.ts";
import { spanOf } from "./request-spans.ts";

/** Called when a request has ended, with the pattern of its route and the milliseconds that it took. */
export type Measure = (req: IncomingMessage, res: ServerResponse, method: string, route: string, ms: number) => void;

/** Statuses that alerts look for: the first failures of a route have to be seen. */
const FAILURES = ["500", "503", "504"];

/** Begins to measure. With METRICS=off the function does nothing. */
export function measureGateway(gateway: GatewayService, routes: readonly Route[]): Measure {
  const meters = metersOf(gateway.broker);
  if (!meters) return () => {};
  meters.read("gateway", () => readingsOf(gateway));
  for (const { method, url } of routes)
    for (const status of FAILURES) meters.begin(gatewayMetrics.requests, { method, route: url, status });
  // They last as long as their clients stay, and would hide what the others take.
  const lasting = new Set(routes.filter(isLasting).map(({ url }) => url));
  return measuring(meters, lasting);
}

function measuring(meters: Meters, lasting: ReadonlySet<string>): Measure {
  return (req, res, method, route, ms) => {
    meters.counter(gatewayMetrics.requests, { method, route, status: `${res.statusCode}` }).add();
    if (lasting.has(route)) return;
    meters.histogram(gatewayMetrics.duration, { method, route }).observe(ms / 1_000, spanOf(req)?.traceparent);
  };
}

function readingsOf({ admission, answers, entrance, responses, server, streams }: GatewayService): Reading[] {
  const metrics = gatewayMetrics;
  const { counts } = answers;
  return [
    reading(metrics.eventStreams, streams.size),
    reading(metrics.active, admission.taken),
    reading(metrics.activeMax, limits.requestsMax),
    reading(metrics.waiting, admission.waiting + entrance.waiting),
    reading(metrics.saturated, admission.refused + entrance.refusedTotal),
    reading(metrics.connectionsDropped, server.dropped),
    reading(metrics.cacheBytes, answers.bytes + responses.bytes),
    reading(metrics.cacheHits, counts.hits),
    reading(metrics.cacheStaleHits, counts.staleHits),
    reading(metrics.cacheMisses, counts.misses),
    reading(metrics.cacheFills, counts.fills),
    reading(metrics.cacheUnstored, counts.unstored),
    reading(metrics.cacheInvalidations, counts.invalidations),
    ...[...entrance.refused].map(([priority, refused]) => reading(metrics.shed, refused, { priority })),
    ...entrance.shares.flatMap(({ service, atWork, limit }) => [
      reading(metrics.serviceCalls, atWork, { service }),
      reading(metrics.serviceCallsMax, limit, { service }),
    ]),
  ];
}
