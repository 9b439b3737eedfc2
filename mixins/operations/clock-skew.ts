// Measures the clocks of all nodes against ours, for the doctor and for the metric.
import type { ServiceBroker } from "moleculer";
import { minutes } from "../kernel/index.ts";
import { reading, type Reading } from "../metrics/index.ts";
import { askNodes, type Asker } from "./ask-nodes.ts";
import { surelyMs, type Meeting } from "./clocks.ts";
import { operationsMetrics } from "./metrics.ts";

const limits = {
  /** Milliseconds that a node may take; one that takes longer is not measured. */
  clockMs: 1_000,
} as const;

/** Milliseconds for which the metric is told again: clocks drift by some seconds a day. */
export const CLOCKS_KEPT_MS = minutes(1);

/** Meets every node that answers. Asked apart from anything that takes long: the less time under way, the more exact. */
export async function meetNodes(asker: Asker): Promise<readonly (Meeting & { readonly node: string })[]> {
  const asked = { timeoutMs: limits.clockMs };
  const { answers } = await askNodes<Pick<Meeting, "askedAt" | "answeredAt">>(asker, "$health.clock", asked);
  return answers.map(({ node, answer, sentAt, cameAt }) => ({ ...answer, node, sentAt, cameAt }));
}

/** How far the clock is off that differs most from ours. */
export async function clockSkew(broker: ServiceBroker): Promise<readonly Reading[]> {
  const asker = { broker, call: broker.call.bind(broker) } as unknown as Asker;
  const meetings = await meetNodes(asker);
  return [reading(operationsMetrics.clockSkew, Math.max(0, ...meetings.map(surelyMs)) / 1_000)];
}
