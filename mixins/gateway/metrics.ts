// Metrics of the gateway.
import { defineMetrics, SECONDS_BUCKETS } from "../kernel/index.ts";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/** The pattern of the route, never the path: clients can make up as many paths as they like. */
const ROUTES = "patterns of the routes, or `none`";

export const gatewayMetrics = defineMetrics("The gateway", {
  requests: {
    type: "counter",
    name: "valence_http_requests_total",
    help: "Requests that were answered",
    labels: { method: METHODS, route: ROUTES, status: "statuses that the gateway answers" },
    seriesMax: 4_000,
  },
  duration: {
    type: "histogram",
    name: "valence_http_request_duration_seconds",
    help: "Time from a request to the end of its answer; event streams are not in it",
    labels: { method: METHODS, route: ROUTES },
    buckets: SECONDS_BUCKETS,
  },
  active: { type: "gauge", name: "valence_http_requests_active", help: "Requests that the gateway is working on" },
  activeMax: {
    type: "gauge",
    name: "valence_http_requests_active_max",
    help: "Requests that the gateway works on at the same time",
  },
  waiting: { type: "gauge", name: "valence_http_requests_waiting", help: "Requests that wait for their turn" },
  saturated: {
    type: "counter",
    name: "valence_http_requests_saturated_total",
    help: "Requests that were refused because the gateway had too many",
  },
  shed: {
    type: "counter",
    name: "valence_http_requests_shed_total",
    help: "Requests that were refused before anything was done for them, by priority",
    labels: { priority: "priorities of routes" },
  },
  serviceCalls: {
    type: "gauge",
    name: "valence_http_service_calls_active",
    help: "Requests at work, by the service that they call",
    labels: { service: "services that routes call" },
  },
  serviceCallsMax: {
    type: "gauge",
    name: "valence_http_service_calls_max",
    help: "Present limit of requests at work, by the service that they call",
    labels: { service: "services that routes call" },
  },
  rateLimited: {
    type: "counter",
    name: "valence_http_rate_limited_total",
    help: "Requests over a rate limit",
    labels: { class: "classes of rate limits" },
  },
  connectionsDropped: {
    type: "counter",
    name: "valence_http_connections_dropped_total",
    help: "Connections that were refused, since there were too many",
  },
  eventStreams: { type: "gauge", name: "valence_http_event_streams", help: "Open event streams" },
  cacheBytes: { type: "gauge", name: "valence_http_cache_bytes", help: "Size of the kept answers" },
  cacheHits: { type: "counter", name: "valence_http_cache_hits_total", help: "Answers that were kept" },
  cacheStaleHits: {
    type: "counter",
    name: "valence_http_cache_stale_hits_total",
    help: "Answers that were kept, and given while they were renewed",
  },
  cacheMisses: { type: "counter", name: "valence_http_cache_misses_total", help: "Answers that were not kept" },
  cacheFills: { type: "counter", name: "valence_http_cache_fills_total", help: "Answers that were fetched to be kept" },
  cacheUnstored: {
    type: "counter",
    name: "valence_http_cache_fills_not_stored_total",
    help: "Answers that were fetched and not kept, since they changed meanwhile or are too long",
  },
  cacheInvalidations: {
    type: "counter",
    name: "valence_http_cache_invalidations_total",
    help: "Kept answers that were dropped, since what they tell had changed",
  },
});
