export { Audit } from "./audit.ts";
export { AUDIT_INDEXES } from "./migrations.ts";
