// The log: JSON lines by pino, bounded and without secrets, with the request, the trace and the user they belong to; or text for
// people. `logger.error("text", error)` of any service writes to it.
export { logEnvironment } from "./environment.ts";
export type { LevelChange, ModuleLevel } from "./levels.ts";
export { LEVELS, logTo, openLog, processLog, type Level, type ProcessLog } from "./log.ts";
export { hideInLogs, hidePersonalInLogs, redacted } from "./redact.ts";
