// Tells at a scrape whether the audit is kept as it should be. How far its consumer is behind is a metric of consumers.
import type { Service } from "moleculer";
import { seconds } from "../kernel/index.ts";
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

async function standingOf(service: string, keeper: Keeper): Promise<Reading[]> {
  const [{ unanchored }, waitingMs] = await Promise.all([keeper.status(), keeper.waitingMs()]);
  return [
    reading(auditMetrics.unsigned, waitingMs / 1_000, { service }),
    ...(unanchored === undefined ? [] : [reading(auditMetrics.unanchored, unanchored, { service })]),
  ];
}
