import type { ServiceBroker } from "moleculer";
import type { MetricDefinition } from "../kernel/index.ts";
import { metersOf } from "../metrics/index.ts";

/**
 * The present value of a metric of this broker, for a histogram how often something was observed; undefined when it has
 * none with these labels.
 */
export async function metricOf(
  broker: ServiceBroker,
  { name }: MetricDefinition,
  labels: Readonly<Record<string, string>> = {},
): Promise<number | undefined> {
  const families = (await metersOf(broker)?.families({ fresh: true })) ?? [];
  const values = families.find(family => family.name === name)?.values ?? [];
  const isMeant = (of: Readonly<Record<string, unknown>>): boolean =>
    Object.entries(labels).every(([label, value]) => of[label] === value);
  const names = [name, `${name}_count`];
  return values.find(({ labels: of, metricName = name }) => isMeant(of) && names.includes(metricName))?.value;
}
