// The doctor's findings as metrics. An examination reads files from end to end, so it is made in the background, and only
// while somebody scrapes; each scrape tells what the last one has found. Of several nodes with operations one examines.
import type { Service, ServiceBroker, ServiceSchema } from "moleculer";
import { listedServices, type Mixin } from "../contract/index.ts";
import { minutes } from "../kernel/index.ts";
import { metersOf, reading, type Reading } from "../metrics/index.ts";
import { CLOCKS_KEPT_MS, clockSkew } from "./clock-skew.ts";
import { CHECKS, type CheckName } from "./doctor/checks.ts";
import type { Finding } from "./doctor/finding.ts";
import { EXAMINED_MS } from "./examined.ts";
import { operationsMetrics } from "./metrics.ts";

const limits = {
  /** Milliseconds after a start until the first examination: the other nodes may still be starting. */
  firstAfterMs: minutes(2),
  /** Milliseconds from one examination to the next. */
  everyMs: minutes(15),
} as const;

const NAMES = Object.values(CHECKS).flatMap(checks => Object.keys(checks) as CheckName[]);
type Found = Pick<Finding, "check" | "status">;
const STATUSES = ["warn", "FAIL"] as const;

/** Metrics of the doctor, for the service with the operations. */
export const TellsFindings = (): Mixin<{}> => {
  const ends = new WeakMap<Service, () => void>();
  return {
    started(this: Service) {
      ends.set(this, tellFindings(this));
    },
    stopped(this: Service) {
      ends.get(this)?.();
    },
  } as Partial<ServiceSchema> as Mixin<{}>;
};

/** Tells the findings and the skew of clocks at each scrape, and examines anew when they are old. Returns the function that ends it. */
export function tellFindings({ broker, fullName }: Service, { firstAfterMs, everyMs } = limits): () => void {
  let findings: readonly Found[] | undefined;
  let examinedAt = performance.now();
  let nextAt = examinedAt + firstAfterMs;

  const examine = async (): Promise<void> => {
    nextAt = performance.now() + everyMs;
    try {
      const timeout = EXAMINED_MS;
      const answer = await broker.call<{ findings: Found[] }, object>(`${fullName}.doctor`, {}, { timeout });
      findings = answer.findings;
      examinedAt = performance.now();
    } catch (error) {
      broker.logger.warn("The doctor's examination in the background failed", error);
    }
  };
  const read = (): readonly Reading[] => {
    if (!examinesHere(broker, fullName)) return [];
    if (performance.now() >= nextAt) void examine();
    const age = reading(operationsMetrics.examined, (performance.now() - examinedAt) / 1_000);
    return findings === undefined ? [age] : [age, ...counted(findings)];
  };
  const meters = metersOf(broker);
  const ends = [
    meters?.read("doctor", read),
    meters?.read("clocks", () => (examinesHere(broker, fullName) ? clockSkew(broker) : []), { keptMs: CLOCKS_KEPT_MS }),
  ];
  return () => ends.forEach(end => end?.());
}

/** Findings by check and status, those that there are none of as well: an alert ends with a number. */
function counted(findings: readonly Found[]): Reading[] {
  return NAMES.flatMap(check =>
    STATUSES.map(status => {
      const found = findings.filter(one => one.check === check && one.status === status);
      return reading(operationsMetrics.findings, found.length, { check, status });
    }),
  );
}

/** Whether this node is the one that examines: the first by name of those with operations. */
function examinesHere(broker: ServiceBroker, service: string): boolean {
  const nodes = listedServices(broker, { onlyAvailable: true })
    .filter(({ fullName }) => fullName === service)
    .map(({ nodeID }) => nodeID)
    .sort();
  return nodes[0] === broker.nodeID;
}
