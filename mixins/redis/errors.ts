// Errors of the connection to Redis.
import { defineErrors } from "../kernel/index.ts";

export const redisErrors = defineErrors({
  REDIS_UNAVAILABLE: {
    status: 503,
    unknown: 504,
    retryAfterMs: 1_000,
    says: "Redis cannot be reached",
    todo: "repeat the call later; see whether Redis can be reached",
  },
});
