// The refusals of the HTTP servers of the runtime, and their limits: pure values.
export { httpErrors } from "./errors.ts";
export { httpLimits } from "./limits.ts";
