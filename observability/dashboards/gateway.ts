// The gateway: requests by route, overload, limits, and the answers that it keeps.
import { lines, table, type Dashboard } from "./grafana.ts";
import { JOBS, quantile, rate, sum } from "./queries.ts";

const REQUESTS = "valence_http_requests_total";
const DURATION = "valence_http_request_duration_seconds";

export const gateway: Dashboard = {
  uid: "gateway",
  title: "Gateway",
  description: "Which routes are slow or fail, is the gateway overloaded, and whom does it refuse?",
  variables: [JOBS],
  rows: [
    {
      title: "Routes",
      panels: [
        lines({
          title: "Requests",
          description: "Answered requests a second, the ten busiest routes.",
          unit: "reqps",
          series: [{ expr: `topk(10, ${rate(REQUESTS, "method, route")})`, legend: "{{method}} {{route}}" }],
        }),
        lines({
          title: "Failures",
          description: "Requests a second that were answered with a 5xx, the ten worst routes.",
          unit: "reqps",
          series: [
            {
              expr: `topk(10, ${rate(REQUESTS, "method, route, status", 'status=~"5.."')} > 0)`,
              legend: "{{method}} {{route}} {{status}}",
            },
          ],
        }),
        lines({
          title: "Time to answer",
          description: "99th percentile of the ten slowest routes. A dot is a request: it opens its trace.",
          unit: "s",
          series: [
            {
              expr: `topk(10, ${quantile(0.99, DURATION, "method, route")})`,
              legend: "{{method}} {{route}}",
              exemplars: true,
            },
          ],
          badFrom: 0.5,
        }),
        table({
          title: "Routes at this moment",
          description: "Requests a second, and the seconds that 99 % of them take at most.",
          unit: "short",
          series: [
            { expr: rate(REQUESTS, "method, route"), legend: "requests a second" },
            { expr: quantile(0.99, DURATION, "method, route"), legend: "99 % within seconds" },
          ],
          width: 24,
        }),
      ],
    },
    {
      title: "Overload",
      panels: [
        lines({
          title: "Requests at work",
          description: "Requests that gateways work on, that wait for their turn, and the most that may be at work.",
          unit: "short",
          series: [
            { expr: sum("valence_http_requests_active"), legend: "at work" },
            { expr: sum("valence_http_requests_waiting"), legend: "waiting" },
            { expr: sum("valence_http_requests_active_max"), legend: "limit" },
          ],
        }),
        lines({
          title: "Shed requests",
          description:
            "Requests a second that were refused before anything was done, by priority. Above zero for critical: add gateways.",
          unit: "reqps",
          series: [
            { expr: rate("valence_http_requests_shed_total", "priority"), legend: "{{priority}}" },
            { expr: rate("valence_http_requests_saturated_total"), legend: "all reasons" },
          ],
          badFrom: 0.001,
        }),
        lines({
          title: "Calls of services",
          description:
            "Requests at work by the service that they call, and its limit just now. A limit far below 500 names a slow service.",
          unit: "short",
          series: [
            { expr: sum("valence_http_service_calls_active", "service"), legend: "{{service}}" },
            { expr: sum("valence_http_service_calls_max", "service"), legend: "{{service}} limit" },
          ],
        }),
        lines({
          title: "Delay of the event loop",
          description: "99th percentile of the processes that have a gateway.",
          unit: "s",
          series: [
            {
              expr: 'max by (instance) (nodejs_eventloop_lag_p99_seconds{job=~"$job"} and on (instance) valence_http_requests_active)',
              legend: "{{instance}}",
            },
          ],
          warnFrom: 0.05,
          badFrom: 0.2,
        }),
        lines({
          title: "Event streams",
          description: "Open event streams of clients, over all gateways.",
          unit: "short",
          series: [{ expr: sum("valence_http_event_streams"), legend: "open" }],
        }),
        lines({
          title: "Dropped connections",
          description: "Connections a second that were refused, since there were too many.",
          unit: "cps",
          series: [{ expr: rate("valence_http_connections_dropped_total"), legend: "dropped" }],
          badFrom: 0.001,
        }),
      ],
    },
    {
      title: "Clients that are refused",
      panels: [
        lines({
          title: "Refusals by status",
          description:
            "Requests a second that were refused: 401 and 403 credentials, 409 and 422 the domain, 429 limits.",
          unit: "reqps",
          series: [{ expr: rate(REQUESTS, "status", 'status=~"4.."'), legend: "{{status}}" }],
          width: 12,
        }),
        lines({
          title: "Over a rate limit",
          description: "Requests a second over a limit, by class. Many of `login` are somebody who guesses passwords.",
          unit: "reqps",
          series: [{ expr: rate("valence_http_rate_limited_total", "class"), legend: "{{class}}" }],
          width: 12,
        }),
      ],
    },
    {
      title: "Kept answers",
      panels: [
        lines({
          title: "Share of hits",
          description: "Answers that came from the gateway's cache, stale ones that were renewed meanwhile among them.",
          unit: "percentunit",
          series: [
            {
              expr: `(${rate("valence_http_cache_hits_total")} + ${rate("valence_http_cache_stale_hits_total")}) / (${rate("valence_http_cache_hits_total")} + ${rate("valence_http_cache_stale_hits_total")} + ${rate("valence_http_cache_misses_total")})`,
              legend: "hits",
            },
          ],
        }),
        lines({
          title: "Fills and changes",
          description:
            "Answers a second that were fetched to be kept, those of them that were not kept, and changes that were told.",
          unit: "ops",
          series: [
            { expr: rate("valence_http_cache_fills_total"), legend: "fetched" },
            { expr: rate("valence_http_cache_fills_not_stored_total"), legend: "not kept" },
            { expr: rate("valence_http_cache_invalidations_total"), legend: "changes" },
          ],
        }),
        lines({
          title: "Size",
          description: "Bytes of kept answers, over all gateways.",
          unit: "bytes",
          series: [{ expr: sum("valence_http_cache_bytes"), legend: "kept" }],
        }),
      ],
    },
  ],
};
