// What the doctor has found last. An examination reads files from end to end, so an overview that is looked at all the time neither
// waits for one nor begins one each time: it tells the last one's findings, and has a new one made in the background. Only the
// first one waits.
import type { ServiceBroker } from "moleculer";
import { settledWithin } from "../../kernel/index.ts";
import type { Finding } from "../doctor/finding.ts";
import { EXAMINED_MS } from "../examined.ts";

const limits = {
  /** Milliseconds after which findings are made anew. */
  keptMs: 60_000,
  /** Milliseconds that the first overview waits for them. Without them it cannot say that all is well. */
  firstMs: 3_000,
} as const;

type Findings = readonly Pick<Finding, "status" | "check" | "subject" | "message">[];
interface Last {
  findings?: Findings;
  examinedAt: number;
  running?: Promise<void> | undefined;
}

const lastOf = new WeakMap<ServiceBroker, Last>();

/** Undefined while the first examination is under way, or has failed. */
export async function lastFindings(broker: ServiceBroker): Promise<Findings | undefined> {
  const last = lastOf.get(broker) ?? { examinedAt: -Infinity };
  lastOf.set(broker, last);
  if (performance.now() - last.examinedAt > limits.keptMs) last.running ??= examine(broker, last);
  if (last.findings === undefined && last.running) await settledWithin([last.running], limits.firstMs);
  return last.findings;
}

/** On nobody's behalf: it outlives the request that began it, and all who look share it. */
async function examine(broker: ServiceBroker, last: Last): Promise<void> {
  try {
    const options = { timeout: EXAMINED_MS };
    const { findings } = await broker.call<{ findings: Findings }, object>("ops.doctor", {}, options);
    last.findings = findings;
    last.examinedAt = performance.now();
  } catch (error) {
    broker.logger.debug("The doctor's examination for the overview failed", error);
  } finally {
    last.running = undefined;
  }
}
