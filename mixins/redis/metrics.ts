// Metrics of Redis.
import { defineMetrics } from "../kernel/index.ts";

export const redisMetrics = defineMetrics("Redis", {
  up: {
    type: "gauge",
    name: "valence_redis_up",
    help: "1 while Redis can be reached; absent without REDIS_URL",
    over: "min",
  },
});
