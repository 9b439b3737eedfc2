// Errors of the audit.
import { defineErrors } from "../kernel/index.ts";

export const auditErrors = defineErrors({
  AUDIT_ANCHOR_AWAY: {
    status: 503,
    retryAfterMs: 5_000,
    says: "the audit's anchor cannot be used: {reason}",
    todo: "mend the place that `AUDIT_ANCHOR` names; checkpoints wait for it",
  },
  AUDIT_ANCHOR_DIFFERS: {
    status: 500,
    says: "the audit's anchor has another checkpoint {number}",
    todo: "run `npx valence audit verify`: the database was put back or rewritten, or the anchor belongs to another audit",
  },
  AUDIT_BROKEN: {
    status: 500,
    says: "the audit was changed: {reason}",
    todo: "run `npx valence audit verify`, and compare with the anchor and with backups; nothing is signed until it is repaired",
  },
  AUDIT_EXPORT_OVERTAKEN: {
    status: 409,
    says: "the audit's retention has removed records that this export had still to read",
    todo: "begin the export anew: it then starts after what was removed",
  },
});
