import type { Service } from "moleculer";
import { METRICS } from "../../kernel/index.ts";
import { STREAM_LIMITS } from "../limits.ts";
import type { ConsumerStatus } from "./status.ts";

const MEASURED = [
  METRICS.consumerLagEvents,
  METRICS.consumerLagSeconds,
  METRICS.deadLetters,
  METRICS.consumerFull,
  METRICS.consumerStopped,
] as const;

/**
 * Measures the consumers of a service every `metricsMs` milliseconds, if the broker has metrics. Returns the function
 * that ends it.
 */
export function measureConsumers(service: Service, statuses: () => Promise<readonly ConsumerStatus[]>): () => void {
  const { broker, fullName, logger } = service;
  const { metrics } = broker;
  if (!metrics || !broker.isMetricsEnabled()) return () => {};
  const measure = async (): Promise<void> => {
    for (const { name, state, lagEvents, lagMs, parkedStreams, stopped } of await statuses()) {
      const labels = { service: fullName, consumer: name };
      for (const metric of MEASURED)
        if (!metrics.getMetric(metric))
          metrics.register({ type: "gauge", name: metric, labelNames: ["service", "consumer"] });
      if (lagEvents !== null) metrics.set(METRICS.consumerLagEvents, lagEvents, labels);
      metrics.set(METRICS.consumerLagSeconds, lagMs / 1_000, labels);
      metrics.set(METRICS.deadLetters, parkedStreams, labels);
      metrics.set(METRICS.consumerFull, state === "full" ? 1 : 0, labels);
      metrics.set(METRICS.consumerStopped, stopped?.length ?? 0, labels);
    }
  };
  const timer = setInterval(() => {
    measure().catch((error: unknown) => logger.debug("the lag of consumers could not be measured", error));
  }, STREAM_LIMITS.metricsMs).unref();
  return () => clearInterval(timer);
}
