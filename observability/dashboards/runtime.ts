// The runtime: actions, actors, event stores, consumers, sagas, and the processes they run in.
import { lines, table, type Dashboard, type Variable } from "./grafana.ts";
import { JOBS, max, mean, of, quantile, rate, sum } from "./queries.ts";

const SERVICES: Variable = {
  name: "service",
  label: "Service",
  query: 'label_values(valence_service_ready{job=~"$job"}, service)',
};
const CHOSEN = 'service=~"$service"';
/** Actions have no label of their service: its name is the first word. */
const ACTIONS = 'action=~"($service)[.].*"';

export const runtime: Dashboard = {
  uid: "runtime",
  title: "Runtime",
  description: "Actions, actors, commits, consumers, sagas, and the processes they run in.",
  variables: [JOBS, SERVICES],
  rows: [
    {
      title: "Actions",
      panels: [
        lines({
          title: "Calls",
          description: "Calls a second that actions have answered, the ten busiest.",
          unit: "ops",
          series: [
            { expr: `topk(10, ${rate("valence_action_calls_total", "action", ACTIONS)})`, legend: "{{action}}" },
          ],
        }),
        lines({
          title: "Calls that did not succeed",
          description:
            "By what became of them, the ten most frequent: refused by the domain, unavailable for now, failed by a bug.",
          unit: "ops",
          series: [
            {
              expr: `topk(10, ${rate("valence_action_calls_total", "action, outcome", `${ACTIONS}, outcome!="ok"`)} > 0)`,
              legend: "{{action}} {{outcome}}",
            },
          ],
        }),
        lines({
          title: "Time",
          description: "99th percentile of the ten slowest actions. A dot opens the trace of that call.",
          unit: "s",
          series: [
            {
              expr: `topk(10, ${quantile(0.99, "valence_action_duration_seconds", "action", ACTIONS)})`,
              legend: "{{action}}",
              exemplars: true,
            },
          ],
        }),
        lines({
          title: "Calls at work",
          description:
            "Calls that actions work on at this moment, by service. A line that grows is a service that does not keep up.",
          unit: "short",
          series: [{ expr: sum("valence_action_calls_active", "service", CHOSEN), legend: "{{service}}" }],
        }),
        lines({
          title: "Cache of actions",
          description: "Share of the answers of cached actions that came from the cache.",
          unit: "percentunit",
          series: [
            {
              expr: `${rate("valence_cacher_hits_total", "service", CHOSEN)} / (${rate("valence_cacher_hits_total", "service", CHOSEN)} + ${rate("valence_cacher_misses_total", "service", CHOSEN)})`,
              legend: "{{service}}",
            },
          ],
        }),
        lines({
          title: "Services ready",
          description: "Processes that offer a service and are ready for its calls. None is an outage.",
          unit: "short",
          series: [{ expr: sum("valence_service_ready", "service", CHOSEN), legend: "{{service}}" }],
        }),
      ],
    },
    {
      title: "Actors",
      panels: [
        lines({
          title: "Commands",
          description: "Commands a second that actors have decided or refused.",
          unit: "ops",
          series: [{ expr: rate("valence_actor_commands_total", "service", CHOSEN), legend: "{{service}}" }],
        }),
        lines({
          title: "Refusals",
          description: "Commands a second that the domain refused, the ten most frequent codes.",
          unit: "ops",
          series: [
            {
              expr: `topk(10, ${rate("valence_actor_refusals_total", "service, code", CHOSEN)} > 0)`,
              legend: "{{service}} {{code}}",
            },
          ],
        }),
        lines({
          title: "Waiting in mailboxes",
          description:
            "99th percentile of the time before a command is decided. High for one service alone: a hot actor, or a slow database.",
          unit: "s",
          series: [
            { expr: quantile(0.99, "valence_actor_queue_wait_seconds", "service", CHOSEN), legend: "{{service}}" },
          ],
        }),
        lines({
          title: "Mailboxes",
          description:
            "Commands that wait in all mailboxes, and in the fullest one, which refuses further ones at 1,024.",
          unit: "short",
          series: [
            { expr: sum("valence_actor_mailbox_commands", "service", CHOSEN), legend: "{{service}}, all" },
            { expr: max("valence_actor_mailbox_commands_max", "service", CHOSEN), legend: "{{service}}, the fullest" },
          ],
          badFrom: 1_000,
        }),
        lines({
          title: "Actors in memory",
          description: "Actors that are loaded, over all processes.",
          unit: "short",
          series: [{ expr: sum("valence_actor_resident", "service", CHOSEN), legend: "{{service}}" }],
        }),
        lines({
          title: "Loaded and left",
          description:
            "Actors a second that are loaded into memory, and that leave it. Both high at once: too few stay.",
          unit: "ops",
          series: [
            { expr: rate("valence_actor_activations_total", "service", CHOSEN), legend: "{{service}} loaded" },
            { expr: rate("valence_actor_passivations_total", "service", CHOSEN), legend: "{{service}} left" },
          ],
        }),
        lines({
          title: "Time to load",
          description: "99th percentile of reading an actor's snapshot and the events after it.",
          unit: "s",
          series: [
            { expr: quantile(0.99, "valence_actor_load_duration_seconds", "service", CHOSEN), legend: "{{service}}" },
          ],
        }),
        lines({
          title: "Decided again",
          description:
            "Commands a second that met a newer event of another node. More than a few: nodes disagree about who owns an actor.",
          unit: "ops",
          series: [{ expr: rate("valence_actor_conflicts_total", "service", CHOSEN), legend: "{{service}}" }],
        }),
        lines({
          title: "Repeated commands",
          description: "Commands a second that had been executed before, and got their first answer.",
          unit: "ops",
          series: [{ expr: rate("valence_actor_duplicates_total", "service", CHOSEN), legend: "{{service}}" }],
        }),
      ],
    },
    {
      title: "Event stores",
      panels: [
        lines({
          title: "Appends by verdict",
          description:
            "Appends a second. Conflicts and duplicates wrote nothing, fenced ones met a bucket that has moved, failed ones a database that is away.",
          unit: "ops",
          series: [
            {
              expr: rate("valence_store_appends_total", "service, verdict", CHOSEN),
              legend: "{{service}} {{verdict}}",
            },
          ],
        }),
        lines({
          title: "Time of a commit",
          description: "Median and 99th percentile of a batch: the disk of the database, mostly.",
          unit: "s",
          series: [
            {
              expr: quantile(0.5, "valence_store_commit_duration_seconds", "service", CHOSEN),
              legend: "{{service}} median",
            },
            {
              expr: quantile(0.99, "valence_store_commit_duration_seconds", "service", CHOSEN),
              legend: "{{service}} 99 %",
            },
          ],
          badFrom: 0.5,
        }),
        lines({
          title: "Appends in a commit",
          description: "Mean size of a batch. It grows by itself with the load.",
          unit: "short",
          series: [{ expr: mean("valence_store_commit_appends", "service", CHOSEN), legend: "{{service}}" }],
        }),
        lines({
          title: "Events written",
          description: "Events a second that were committed.",
          unit: "eps",
          series: [{ expr: rate("valence_store_events_total", "service", CHOSEN), legend: "{{service}}" }],
        }),
        lines({
          title: "Events by type",
          description: "Events a second, the ten most frequent types.",
          unit: "eps",
          series: [{ expr: `topk(10, ${rate("valence_actor_events_total", "type", CHOSEN)})`, legend: "{{type}}" }],
        }),
        lines({
          title: "Late timers",
          description: "How long the oldest timer that was not answered has been due.",
          unit: "s",
          series: [{ expr: max("valence_timers_late_seconds", "service", CHOSEN), legend: "{{service}}" }],
          badFrom: 120,
        }),
      ],
    },
    {
      title: "Consumers and sagas",
      panels: [
        lines({
          title: "Events not read yet",
          description: "Events between a consumer's place and the end of the log.",
          unit: "short",
          series: [{ expr: max("valence_consumer_lag_events", "consumer", CHOSEN), legend: "{{consumer}}" }],
        }),
        lines({
          title: "Lag in time",
          description: "Age of the newest event that a consumer has handled, while there are later ones.",
          unit: "s",
          series: [{ expr: max("valence_consumer_lag_seconds", "consumer", CHOSEN), legend: "{{consumer}}" }],
          warnFrom: 60,
          badFrom: 600,
        }),
        lines({
          title: "Handled events",
          description: "Events a second that each consumer has handled.",
          unit: "eps",
          series: [
            {
              expr: `max by (consumer) (rate(${of("valence_consumer_events_total", CHOSEN)}[$__rate_interval]))`,
              legend: "{{consumer}}",
            },
          ],
        }),
        lines({
          title: "Streams that failed",
          description:
            "Streams whose event a consumer could not handle: tried again by itself, or parked until a person acts.",
          unit: "short",
          series: [
            { expr: max("valence_consumer_retrying_streams", "consumer", CHOSEN), legend: "{{consumer}} tried again" },
            { expr: max("valence_dead_letters", "consumer", CHOSEN), legend: "{{consumer}} parked" },
          ],
          badFrom: 1,
        }),
        lines({
          title: "Sagas",
          description: "Sagas that have not ended, by state.",
          unit: "short",
          series: [{ expr: max("valence_sagas", "service, state", CHOSEN), legend: "{{service}} {{state}}" }],
        }),
        lines({
          title: "Ended sagas",
          description: "Sagas a second that have ended, or were parked as stuck.",
          unit: "ops",
          series: [
            { expr: rate("valence_sagas_ended_total", "service, outcome", CHOSEN), legend: "{{service}} {{outcome}}" },
          ],
        }),
      ],
    },
    {
      title: "Processes",
      panels: [
        lines({
          title: "Delay of the event loop",
          description:
            "99th percentile since the last scrape. Above 50 ms the process has too much to do, or something blocks it.",
          unit: "s",
          series: [{ expr: max("nodejs_eventloop_lag_p99_seconds", "instance"), legend: "{{instance}}" }],
          warnFrom: 0.05,
          badFrom: 0.2,
        }),
        lines({
          title: "Heap",
          description: "Used part of the limit at which a process ends.",
          unit: "percentunit",
          series: [
            {
              expr: `${max("nodejs_heap_size_used_bytes", "instance")} / ${max("valence_heap_limit_bytes", "instance")}`,
              legend: "{{instance}}",
            },
          ],
          badFrom: 0.9,
        }),
        lines({
          title: "Memory",
          description: "Resident memory of each process: heap, buffers, code.",
          unit: "bytes",
          series: [{ expr: sum("process_resident_memory_bytes", "instance"), legend: "{{instance}}" }],
        }),
        lines({
          title: "Processor",
          description: "Processor seconds a second. One is a whole core: JavaScript of one process rarely uses more.",
          unit: "short",
          series: [{ expr: rate("process_cpu_seconds_total", "instance"), legend: "{{instance}}" }],
        }),
        lines({
          title: "Pauses of the garbage collector",
          description: "Share of the time in which it stopped the process, by kind.",
          unit: "percentunit",
          series: [{ expr: rate("nodejs_gc_duration_seconds_sum", "instance, kind"), legend: "{{instance}} {{kind}}" }],
          warnFrom: 0.05,
          badFrom: 0.2,
        }),
        lines({
          title: "Spans",
          description: "Spans a second by what became of them. Only exported ones have arrived at the collector.",
          unit: "ops",
          series: [{ expr: rate("valence_trace_spans_total", "outcome"), legend: "{{outcome}}" }],
        }),
        lines({
          title: "Scrapes that lack something",
          description:
            "Values a second that a scrape could not have in time, such as those from a database that is away.",
          unit: "ops",
          series: [{ expr: rate("valence_scrape_errors_total", "source"), legend: "{{source}}" }],
          badFrom: 0.001,
        }),
        table({
          title: "Releases",
          description: "Processes by the release of the runtime. Two rows are a roll-out.",
          unit: "short",
          series: [{ expr: `count by (version) (${of("valence_runtime_info")})`, legend: "processes" }],
          width: 8,
        }),
        table({
          title: "What the doctor has found",
          description:
            "Findings of the last examination in the background. `valence ops doctor` examines again, and says what to do.",
          unit: "short",
          series: [{ expr: `${max("valence_doctor_findings", "check, status")} > 0`, legend: "findings" }],
          width: 8,
        }),
      ],
    },
  ],
};
