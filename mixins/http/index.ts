// What the HTTP servers of the runtime refuse, and their limits: pure values.
export { httpErrors } from "./errors.ts";
export { httpLimits } from "./limits.ts";
