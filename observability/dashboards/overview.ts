// The first page: does a person have to act, do customers get what they ask for, does the business go on?
import { lines, number, type Dashboard } from "./grafana.ts";
import { JOBS, max, min, of, quantile, rate, sum, total } from "./queries.ts";

const REQUESTS = "valence_http_requests_total";
const DURATION = "valence_http_request_duration_seconds";

/** A number that is green at none. */
const waiting = (title: string, description: string, expr: string) =>
  number({ title, description, unit: "short", series: [{ expr, legend: title }], badFrom: 1, width: 3 });

export const overview: Dashboard = {
  uid: "overview",
  title: "Overview",
  description: "Does a person have to act, and do customers get what they ask for?",
  variables: [JOBS],
  rows: [
    {
      title: "Waits for a person",
      panels: [
        waiting(
          "Alerts",
          "Alerts that fire, of severity page and ticket. Their names are in Prometheus; each has a page in docs/runbooks.",
          'count(ALERTS{alertstate="firing", severity=~"page|ticket"}) or vector(0)',
        ),
        waiting(
          "Stuck sagas",
          "Sagas that go on only when somebody retries or compensates them: orders whose customers wait.",
          `sum(${max("valence_sagas", "job, service", 'state="stuck"')})`,
        ),
        waiting(
          "Parked streams",
          "Streams with an event that a consumer could not handle. Later events of the same stream wait behind it.",
          `sum(${max("valence_dead_letters", "job, service, consumer")})`,
        ),
        waiting(
          "Stopped consumers",
          "Logs of which a consumer reads nothing, since its place is not in them any more.",
          `sum(${max("valence_consumer_stopped_sources", "job, service, consumer")})`,
        ),
        waiting(
          "Quarantined actors",
          "Actors whose record is damaged. They answer 503 until somebody has mended and released them.",
          `sum(${max("valence_store_quarantined_streams", "job, service")})`,
        ),
        waiting(
          "Late timers",
          "Durable timers that were due more than ten seconds ago.",
          `sum(${max("valence_timers_late", "job, service")})`,
        ),
        waiting(
          "Open circuits",
          "Pairs of nodes of which one does not call the other, or calls it less, after failures.",
          sum("valence_circuits_open"),
        ),
        waiting(
          "Audit in trouble",
          "1 while the audit signs or copies nothing: `valence ops audit status` tells why.",
          `sum(${max("valence_audit_trouble", "job, service, reason")})`,
        ),
        waiting("Targets down", "Processes that Prometheus cannot scrape.", 'count(up{job=~"$job"} == 0) or vector(0)'),
      ],
    },
    {
      title: "Customers",
      panels: [
        lines({
          title: "Requests by status",
          description: "Answered requests a second. A rise of 5xx is ours, a rise of 4xx is a client's or an attack.",
          unit: "reqps",
          series: [
            { expr: rate(REQUESTS, "", 'status=~"[123].."'), legend: "1xx to 3xx" },
            { expr: rate(REQUESTS, "", 'status=~"4.."'), legend: "4xx" },
            { expr: rate(REQUESTS, "", 'status=~"5.."'), legend: "5xx" },
          ],
        }),
        lines({
          title: "Share of failed requests",
          description: "Requests that were answered with a 5xx. The objective allows one in a thousand over 30 days.",
          unit: "percentunit",
          series: [{ expr: `${rate(REQUESTS, "", 'status=~"5.."')} / ${rate(REQUESTS)}`, legend: "failed" }],
          badFrom: 0.001,
        }),
        lines({
          title: "Time to answer",
          description: "Quantiles over all routes without event streams. A dot is one request: it opens its trace.",
          unit: "s",
          series: [
            { expr: quantile(0.5, DURATION), legend: "median" },
            { expr: quantile(0.95, DURATION), legend: "95 %" },
            { expr: quantile(0.99, DURATION), legend: "99 %", exemplars: true },
          ],
          badFrom: 0.5,
        }),
        number({
          title: "Availability budget left",
          description:
            "Part of the failed requests that the objective of 99.9 % over 30 days allows, and that are not used up yet.",
          unit: "percentunit",
          series: [{ expr: `1 - max(${of("job:valence_http_errors:ratio_rate30d")}) / 0.001`, legend: "left" }],
          width: 6,
        }),
        number({
          title: "Latency budget left",
          description:
            "Part of the slow requests that the objective of 99 % within half a second over 30 days allows, and that are not used up yet.",
          unit: "percentunit",
          series: [{ expr: `1 - max(${of("job:valence_http_slow:ratio_rate30d")}) / 0.01`, legend: "left" }],
          width: 6,
        }),
        number({
          title: "Services ready",
          description: "Services that at least one process offers, and is ready to be called at.",
          unit: "short",
          series: [{ expr: `count(${max("valence_service_ready", "service")} == 1)`, legend: "ready" }],
          width: 6,
        }),
        number({
          title: "Databases that answer",
          description: "Services whose database answered every process that asked it.",
          unit: "short",
          series: [{ expr: `count(${min("valence_database_up", "service")} == 1)`, legend: "up" }],
          width: 6,
        }),
      ],
    },
    {
      title: "Business",
      panels: [
        lines({
          title: "Orders",
          description:
            "Orders a second that came into each status. Placed ones that never ship are on the page of one order's path.",
          unit: "ops",
          series: [{ expr: rate("valence_orders_total", "status"), legend: "{{status}}" }],
        }),
        lines({
          title: "Orders by present status",
          description:
            "Orders that are in each status now, without those that have ended. A level that rises is work that does not go on.",
          unit: "short",
          series: [
            {
              expr: max("valence_orders", "status", 'status!~"shipped|rejected|cancelled"'),
              legend: "{{status}}",
            },
          ],
        }),
        lines({
          title: "Revenue",
          description:
            "Totals of confirmed orders, and amounts to be given back, in the currency's minor unit (cents) a second.",
          unit: "short",
          series: [
            { expr: rate("valence_orders_revenue_minor_total", "currency"), legend: "revenue {{currency}}" },
            { expr: rate("valence_orders_refund_requested_minor_total", "currency"), legend: "refunds {{currency}}" },
          ],
        }),
        lines({
          title: "Rejected orders",
          description:
            "Orders a second that were rejected, by reason. Stock that has run out looks different from a provider that declines.",
          unit: "ops",
          series: [{ expr: rate("valence_orders_rejected_total", "reason"), legend: "{{reason}}" }],
        }),
        number({
          title: "Orders placed",
          description: "Orders placed in the time that is shown.",
          unit: "short",
          series: [{ expr: total("valence_orders_total", "", 'status="placed"'), legend: "placed" }],
          width: 6,
        }),
        number({
          title: "Orders shipped",
          description: "Orders shipped in the time that is shown.",
          unit: "short",
          series: [{ expr: total("valence_orders_total", "", 'status="shipped"'), legend: "shipped" }],
          width: 6,
        }),
        number({
          title: "Rejected share",
          description: "Rejected orders among those placed, in the time that is shown.",
          unit: "percentunit",
          series: [
            {
              expr: `${total("valence_orders_total", "", 'status="rejected"')} / ${total("valence_orders_total", "", 'status="placed"')}`,
              legend: "rejected",
            },
          ],
          width: 6,
        }),
        number({
          title: "Refused by the provider",
          description:
            "Requests in the time that is shown which the payment provider refused because of our settings. Orders are held meanwhile.",
          unit: "short",
          series: [{ expr: total("valence_payments_provider_refused_total"), legend: "refused" }],
          badFrom: 1,
          width: 6,
        }),
      ],
    },
    {
      title: "Work behind the requests",
      panels: [
        lines({
          title: "Open sagas",
          description:
            "Sagas that have not ended, by state. They should come and go; a line that only rises is one that does not end.",
          unit: "short",
          series: [{ expr: `sum by (state) (${max("valence_sagas", "job, service, state")})`, legend: "{{state}}" }],
        }),
        lines({
          title: "Lag of consumers",
          description:
            "How old the newest handled event is, while there are later ones: how stale lists are, and how late sagas begin.",
          unit: "s",
          series: [{ expr: max("valence_consumer_lag_seconds", "consumer"), legend: "{{consumer}}" }],
          warnFrom: 60,
          badFrom: 600,
        }),
        lines({
          title: "Delay of the event loops",
          description:
            "99th percentile of each process since its last scrape. Above 50 ms a process has too much to do.",
          unit: "s",
          series: [{ expr: max("nodejs_eventloop_lag_p99_seconds", "instance"), legend: "{{instance}}" }],
          warnFrom: 0.05,
          badFrom: 0.2,
        }),
      ],
    },
  ],
};
