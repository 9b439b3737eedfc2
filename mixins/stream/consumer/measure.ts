import type { Service } from "moleculer";
import { metersOf, reading, type Reading } from "../../metrics/index.ts";
import { STREAM_LIMITS } from "../limits.ts";
import { streamMetrics } from "../metrics.ts";
import type { ConsumerStatus } from "./status.ts";

interface Measured {
  readonly statuses: () => Promise<readonly ConsumerStatus[]>;
  /** Number of partitions that this node holds of a consumer; of an ingress there is none to tell. */
  readonly held: (consumer: string) => number | undefined;
}

/** Reads the consumers of a service at each scrape, until the function that it returns is called. */
export function measureConsumers(service: Service, { statuses, held }: Measured): () => void {
  const { broker, fullName } = service;
  const { metricsKeptMs: keptMs, metricsReadMs: readMs } = STREAM_LIMITS;
  const read = async (): Promise<Reading[]> =>
    (await statuses())
      .filter(({ state }) => state !== "off")
      .flatMap(status => {
        const partitions = held(status.name);
        const labels = { service: fullName, consumer: status.name };
        return [
          ...readingsOf(fullName, status),
          ...(partitions === undefined ? [] : [reading(streamMetrics.partitions, partitions, labels)]),
        ];
      });
  return metersOf(broker)?.read("consumers", read, { keptMs, readMs }) ?? (() => {});
}

function readingsOf(service: string, status: ConsumerStatus): Reading[] {
  const { name: consumer, state, lagEvents, lagMs, events, parkedStreams, retryingStreams, stopped } = status;
  const labels = { service, consumer };
  const parts = (status.partitions ?? []).flatMap(({ partition, lagEvents }) =>
    lagEvents === null
      ? []
      : [reading(streamMetrics.partitionLag, lagEvents, { ...labels, partition: String(partition) })],
  );
  return [
    ...(lagEvents === null ? [] : [reading(streamMetrics.lagEvents, lagEvents, labels)]),
    reading(streamMetrics.lagSeconds, lagMs / 1_000, labels),
    reading(streamMetrics.deadLetters, parkedStreams, labels),
    reading(streamMetrics.retrying, retryingStreams, labels),
    reading(streamMetrics.full, state === "full" ? 1 : 0, labels),
    reading(streamMetrics.stopped, stopped?.length ?? 0, labels),
    reading(streamMetrics.handled, events, labels),
    ...parts,
  ];
}
