export { redisProblem } from "./check.ts";
export { RedisConnection, redisOf } from "./connection.ts";
export { fallingBack, MemoryCounter, RedisCounter, type Count, type Counter } from "./counter.ts";
export { redisEnvironment } from "./environment.ts";
export { redisErrors } from "./errors.ts";
export { impatientClientOf } from "./impatient-client.ts";
export { script } from "./script.ts";
