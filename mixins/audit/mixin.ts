export { recordingActs, type Act } from "./acts.ts";
export { Audit } from "./audit.ts";
export { AUDIT_INDEXES } from "./migrations.ts";
