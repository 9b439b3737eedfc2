// One order's path: from the request to the mail, station by station, and the trace of a single one.
import { lines, number, table, text, trace, type Dashboard } from "./grafana.ts";
import { JOBS, max, quantile, rate } from "./queries.ts";

const PLACE = 'method="POST", route="/api/v1/orders"';
const DURATION = "valence_http_request_duration_seconds";
const ACTION = "valence_action_duration_seconds";
/** The actions that the checkout calls, in its order. */
const STEPS =
  "inventory.reserve|orders.markReserved|payments.authorize|orders.markPaid|orders.confirm|payments.capture|inventory.commit|shipping.create";

const service = (name: string): string => `service="${name}"`;

export const order: Dashboard = {
  uid: "order",
  title: "One order's path",
  description: "Where do orders wait on their way from the request to the mail, and what happened to this one?",
  variables: [JOBS, { name: "trace", label: "Trace id" }],
  rows: [
    {
      title: "This order",
      panels: [
        text(
          "From an order to its trace",
          "How to find the trace of an order: no metric has ids.",
          [
            "`valence ops actor order ORDER` shows the order's events, each with its trace; `valence ops saga checkout.ORDER` its steps, attempts",
            "and errors; `valence ops trace TRACE` everything that happened because of one request. A dot in a panel of times is a request: it",
            "opens its trace. Put a trace id into the field above, and it is shown here.",
          ].join(" "),
        ),
        trace(
          "Trace",
          "The spans of the trace id above: request, actions, actor, commit, saga steps, consumers, mail.",
          "$trace",
        ),
      ],
    },
    {
      title: "1. The request",
      panels: [
        lines({
          title: "POST /orders by status",
          description: "Answers a second. 409 and 422 are refusals of the domain, 503 says that nothing was done.",
          unit: "reqps",
          series: [{ expr: rate("valence_http_requests_total", "status", PLACE), legend: "{{status}}" }],
        }),
        lines({
          title: "POST /orders, time",
          description: "Time until the order is durable and answered. A dot opens the trace of that request.",
          unit: "s",
          series: [
            { expr: quantile(0.5, DURATION, "", PLACE), legend: "median" },
            { expr: quantile(0.99, DURATION, "", PLACE), legend: "99 %", exemplars: true },
          ],
          badFrom: 0.5,
        }),
        lines({
          title: "Orders in the actor",
          description:
            "99th percentiles: waiting in the mailbox, loading the actor, and the commit that makes the order durable.",
          unit: "s",
          series: [
            { expr: quantile(0.99, "valence_actor_queue_wait_seconds", "", service("orders")), legend: "mailbox" },
            { expr: quantile(0.99, "valence_actor_load_duration_seconds", "", service("orders")), legend: "load" },
            { expr: quantile(0.99, "valence_store_commit_duration_seconds", "", service("orders")), legend: "commit" },
          ],
        }),
      ],
    },
    {
      title: "2. The checkout",
      panels: [
        lines({
          title: "Steps, calls",
          description:
            "Calls of the checkout's actions a second. Each order makes all of them; a step that falls behind the one before holds orders up.",
          unit: "ops",
          series: [{ expr: rate("valence_action_calls_total", "action", `action=~"${STEPS}"`), legend: "{{action}}" }],
        }),
        lines({
          title: "Steps, time",
          description:
            "99th percentile of each step. `payments.authorize` and `payments.capture` wait for the payment provider.",
          unit: "s",
          series: [{ expr: quantile(0.99, ACTION, "action", `action=~"${STEPS}"`), legend: "{{action}}" }],
        }),
        lines({
          title: "Steps that did not succeed",
          description:
            "Calls a second by what became of them: refused ones compensate the order, unavailable ones are tried again, failed ones are bugs.",
          unit: "ops",
          series: [
            {
              expr: rate("valence_action_calls_total", "action, outcome", `action=~"${STEPS}", outcome!="ok"`),
              legend: "{{action}} {{outcome}}",
            },
          ],
        }),
        lines({
          title: "Checkouts that have not ended",
          description: "By state. Stuck ones wait for a person: `valence ops stuck`.",
          unit: "short",
          series: [{ expr: max("valence_sagas", "state", service("checkout")), legend: "{{state}}" }],
        }),
        lines({
          title: "Oldest checkout",
          description: "Age of the oldest checkout in each state. A checkout usually takes seconds.",
          unit: "s",
          series: [{ expr: max("valence_saga_oldest_seconds", "state", service("checkout")), legend: "{{state}}" }],
          warnFrom: 60,
          badFrom: 900,
        }),
        lines({
          title: "Ended checkouts",
          description:
            "Checkouts a second that have ended, by outcome. Compensated ones are rejected or cancelled orders.",
          unit: "ops",
          series: [{ expr: rate("valence_sagas_ended_total", "outcome", service("checkout")), legend: "{{outcome}}" }],
        }),
      ],
    },
    {
      title: "3. Everything that follows",
      panels: [
        lines({
          title: "Orders by status",
          description:
            "Orders a second that came into each status: what is placed should be shipped, rejected or cancelled soon after.",
          unit: "ops",
          series: [{ expr: rate("valence_orders_total", "status"), legend: "{{status}}" }],
        }),
        lines({
          title: "Behind the orders",
          description: "How far consumers are behind: lists that customers see, mails, carts, shipments.",
          unit: "s",
          series: [{ expr: max("valence_consumer_lag_seconds", "consumer"), legend: "{{consumer}}" }],
          warnFrom: 60,
          badFrom: 600,
        }),
        lines({
          title: "Mails about orders",
          description: "Mails a second by what became of them. Postponed ones are tried again, given up ones are not.",
          unit: "ops",
          series: [{ expr: rate("valence_mails_total", "outcome", service("notifications")), legend: "{{outcome}}" }],
        }),
        table({
          title: "Parked streams",
          description: "Consumers with events that they could not handle: `valence ops letters` shows them.",
          unit: "short",
          series: [{ expr: `${max("valence_dead_letters", "service, consumer")} > 0`, legend: "parked" }],
        }),
        number({
          title: "Refused by the provider",
          description: "Requests in the time that is shown which the payment provider refused because of our settings.",
          unit: "short",
          series: [
            {
              expr: 'sum (increase(valence_payments_provider_refused_total{job=~"$job"}[$__range]))',
              legend: "refused",
            },
          ],
          badFrom: 1,
          width: 6,
        }),
        number({
          title: "Mails that wait",
          description: "Mails about orders that are due and not sent: the mail server is away or slow.",
          unit: "short",
          series: [{ expr: max("valence_mails_waiting", "", service("notifications")), legend: "waiting" }],
          warnFrom: 100,
          width: 6,
        }),
      ],
    },
  ],
};
