// Names that an operator can complete, from what the services in sight announce.
import type { ServiceBroker } from "moleculer";
import { listedServices } from "../contract/index.ts";
import type { Names } from "./shell/completion.ts";

export function namesOf(broker: ServiceBroker): Names {
  const services = listedServices(broker, { onlyAvailable: true, skipInternal: true });
  const all = (of: (metadata: Record<string, unknown>) => readonly string[]): string[] =>
    [...new Set(services.flatMap(({ metadata }) => of((metadata ?? {}) as Record<string, unknown>)))].sort();
  const keys = (field: string) => (metadata: Record<string, unknown>) => Object.keys(metadata[field] ?? {});
  const actors = all(({ actor }) => (typeof actor === "string" ? [actor] : []));
  const projections = all(keys("projections"));
  const consumers = all(keys("consumers"));
  return {
    type: actors,
    actor: actors,
    service: [...new Set(services.map(({ fullName }) => fullName))].sort(),
    consumer: consumers,
    "ops.archive.type": [...actors, "sagas"],
    "ops.rebuild.name": projections,
    "ops.resetConsumer.name": consumers,
    "ops.sagas.name": all(keys("sagas")),
    "ops.sagaCounts.name": all(keys("sagas")),
    "ops.retrySagas.name": all(keys("sagas")),
    "ops.compensateSagas.name": all(keys("sagas")),
  };
}
