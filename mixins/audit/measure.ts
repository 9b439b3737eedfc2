// Tells at a scrape whether the audit is kept as it should be. How far its consumer is behind is a metric of consumers.
import type { Service } from "moleculer";
import { seconds, type DependencyState } from "../kernel/index.ts";
import { metersOf, reading, type Reading } from "../metrics/index.ts";
import type { Keeper } from "./keeper.ts";
import { auditMetrics, TROUBLES } from "./metrics.ts";

/** Milliseconds for which what was read from the database is told again. */
const KEPT_MS = seconds(15);

export function measureAudit(
  { broker, fullName: service }: Pick<Service, "broker" | "fullName">,
  keeper: Keeper,
): void {
  const meters = metersOf(broker);
  // Also while the database is away.
  meters?.read("audit trouble", () =>
    TROUBLES.map(reason =>
      reading(auditMetrics.trouble, keeper.trouble?.reason === reason ? 1 : 0, { service, reason }),
    ),
  );
  meters?.read("audit", () => standingOf(service, keeper), { keptMs: KEPT_MS });
}

/** For operators who ask how a node stands: why nothing is signed or copied, as far as this node has tried. */
export async function keepingState({ trouble }: Keeper): Promise<DependencyState> {
  if (trouble === undefined) return { status: "ok", message: "it is signed, and copied where an anchor is named" };
  const advice = "docs/audit.md says what to do: `npx valence audit verify` names the first wrong record";
  if (trouble.reason === "broken") return { status: "FAIL", message: trouble.says, advice };
  return { status: "FAIL", message: trouble.says, advice: "records are written; checkpoints wait: mend what is named" };
}

async function standingOf(service: string, keeper: Keeper): Promise<Reading[]> {
  const [{ unanchored }, waitingMs] = await Promise.all([keeper.status(), keeper.waitingMs()]);
  return [
    reading(auditMetrics.unsigned, waitingMs / 1_000, { service }),
    ...(unanchored === undefined ? [] : [reading(auditMetrics.unanchored, unanchored, { service })]),
  ];
}
