// The bus between the nodes, and the relays that publish events to JetStream.
import { lines, type Dashboard } from "./grafana.ts";
import { JOBS, max, min, rate, sum } from "./queries.ts";

export const bus: Dashboard = {
  uid: "bus",
  title: "Bus",
  description: "Do the nodes reach each other, and do events arrive?",
  variables: [JOBS],
  rows: [
    {
      title: "Nodes",
      panels: [
        lines({
          title: "Connected",
          description: "1 while a node is connected to the others. Absent where there is one process and no bus.",
          unit: "bool_yes_no",
          series: [{ expr: min("valence_bus_connected", "instance"), legend: "{{instance}}" }],
        }),
        lines({
          title: "Nodes in reach",
          description: "Nodes that each node can reach. Lines that differ are a network that is split.",
          unit: "short",
          series: [{ expr: min("valence_bus_nodes_available", "instance"), legend: "{{instance}}" }],
        }),
        lines({
          title: "Calls that wait for an answer",
          description: "Calls to other nodes. A line that grows is a node that does not answer.",
          unit: "short",
          series: [{ expr: sum("valence_bus_requests_pending", "instance"), legend: "{{instance}}" }],
        }),
        lines({
          title: "Skew of clocks",
          description:
            "How far the clock is off that differs most from the one of the node with the operations: `valence ops health` names it.",
          unit: "s",
          series: [{ expr: max("valence_clock_skew_seconds", "job"), legend: "{{job}}" }],
          warnFrom: 1,
          badFrom: 30,
        }),
      ],
    },
    {
      title: "Failures between nodes",
      panels: [
        lines({
          title: "Open circuits",
          description:
            "Pairs of nodes of which one calls the other less, or not, by the service that is called: `valence ops circuits`.",
          unit: "short",
          series: [{ expr: sum("valence_circuits_open", "service"), legend: "{{service}}" }],
          badFrom: 1,
        }),
        lines({
          title: "Circuits that opened",
          description: "Openings a second. A circuit that opens again and again is a service that half works.",
          unit: "ops",
          series: [{ expr: rate("valence_circuits_opened_total", "service"), legend: "{{service}}" }],
        }),
        lines({
          title: "Repeated calls",
          description:
            "Calls a second that were sent once more, and failed calls that were not, since too many had been.",
          unit: "ops",
          series: [
            { expr: rate("valence_call_retries_total", "service"), legend: "{{service}} repeated" },
            { expr: rate("valence_call_retries_spared_total", "service"), legend: "{{service}} not repeated" },
          ],
        }),
        lines({
          title: "Refused packets",
          description: "Packets and endpoints a second that were forged, or of a node that may not. None is expected.",
          unit: "ops",
          series: [{ expr: rate("valence_bus_refused_total", "reason"), legend: "{{reason}}" }],
          badFrom: 0.001,
        }),
      ],
    },
    {
      title: "Traffic",
      panels: [
        lines({
          title: "Packets",
          description: "Packets a second, sent and received by each node.",
          unit: "ops",
          series: [
            { expr: rate("valence_bus_sent_packets_total", "instance"), legend: "{{instance}} sent" },
            { expr: rate("valence_bus_received_packets_total", "instance"), legend: "{{instance}} received" },
          ],
          width: 12,
        }),
        lines({
          title: "Bytes",
          description: "Bytes a second, sent and received by each node.",
          unit: "Bps",
          series: [
            { expr: rate("valence_bus_sent_bytes_total", "instance"), legend: "{{instance}} sent" },
            { expr: rate("valence_bus_received_bytes_total", "instance"), legend: "{{instance}} received" },
          ],
          width: 12,
        }),
      ],
    },
    {
      title: "JetStream",
      panels: [
        lines({
          title: "Connected to JetStream",
          description:
            "1 while a process is connected. Absent where events are read from the log. Without JetStream consumers poll the log.",
          unit: "bool_yes_no",
          series: [{ expr: min("valence_carrier_connected", "instance"), legend: "{{instance}}" }],
        }),
        lines({
          title: "Events not published yet",
          description: "Committed events that the relay of a service has still to publish.",
          unit: "short",
          series: [{ expr: max("valence_relay_lag_events", "service"), legend: "{{service}}" }],
        }),
        lines({
          title: "Lag of the relays",
          description: "Time since a relay last had published everything.",
          unit: "s",
          series: [{ expr: max("valence_relay_lag_seconds", "service"), legend: "{{service}}" }],
          badFrom: 60,
        }),
        lines({
          title: "Published events",
          description: "Events a second that the relays have published.",
          unit: "eps",
          series: [{ expr: rate("valence_relay_published_total", "service"), legend: "{{service}}" }],
        }),
        lines({
          title: "Failures of the relays",
          description: "Times a second that a relay could not publish, and tried again.",
          unit: "ops",
          series: [{ expr: rate("valence_relay_failures_total", "service"), legend: "{{service}}" }],
          badFrom: 0.001,
        }),
        lines({
          title: "Redeliveries and gaps",
          description:
            "Messages a second that came again and were passed over, and times that messages were missing, so that the log was read.",
          unit: "ops",
          series: [
            { expr: rate("valence_carrier_redelivered_total", "service"), legend: "{{service}} redelivered" },
            { expr: rate("valence_carrier_gaps_total", "service"), legend: "{{service}} gaps" },
          ],
        }),
      ],
    },
  ],
};
