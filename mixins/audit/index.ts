export { actEvent } from "./act-events.ts";
export { cursorBehind } from "./query.ts";
export { contract as auditContract } from "./contract.ts";
export { auditEnvironment } from "./environment.ts";
export { auditErrors } from "./errors.ts";
