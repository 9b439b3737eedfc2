// Metrics of a service's actors. The host's counts are copied once a second: telling the registry of each command would cost
// more than deciding it.
import type { ServiceBroker } from "moleculer";
import { METRICS } from "../kernel/index.ts";
import type { ActorHost } from "./host.ts";

/** Measures every so many milliseconds, until the function that it returns is called. */
export function measureActors(broker: ServiceBroker, service: string, host: ActorHost, everyMs: number): () => void {
  if (!broker.isMetricsEnabled()) return () => {};
  const { metrics } = broker;
  const set = (type: "counter" | "gauge", name: string, value: number): void => {
    if (!metrics.hasMetric(name)) metrics.register({ type: type as "gauge", name, labelNames: ["service"] });
    metrics.set(name, value, { service });
  };
  const measure = (): void => {
    const { commands, conflicts, passivations, quarantined } = host.counts;
    set("counter", METRICS.commandsTotal, commands);
    set("counter", METRICS.conflictsTotal, conflicts);
    set("gauge", METRICS.activations, host.resident);
    set("counter", METRICS.passivationsTotal, passivations);
    set("counter", METRICS.quarantinedTotal, quarantined);
  };
  measure();
  const timer = setInterval(measure, everyMs).unref();
  return () => clearInterval(timer);
}
