// Metrics of the audit.
import { defineMetrics, SERVICE_NAMES } from "../kernel/index.ts";

/** The audit was changed; its anchor cannot be used, or has something else; anything else, as a database that is away. */
export const TROUBLES = ["broken", "anchor", "other"] as const;
const labels = { service: SERVICE_NAMES };

export const auditMetrics = defineMetrics("The audit", {
  trouble: {
    type: "gauge",
    name: "valence_audit_trouble",
    help: "1 while the node that keeps the audit can sign or copy nothing: it was changed (broken), its anchor cannot be used or differs (anchor), or anything else, as its database that is away",
    labels: { ...labels, reason: TROUBLES },
    over: "max",
  },
  unanchored: {
    type: "gauge",
    name: "valence_audit_unanchored_checkpoints",
    help: "Checkpoints that wait for the anchor; absent without one; whole of the database",
    labels,
    over: "max",
  },
  unsigned: {
    type: "gauge",
    name: "valence_audit_unsigned_seconds",
    help: "Time for which records have waited for a checkpoint; whole of the database",
    labels,
    over: "max",
  },
});
