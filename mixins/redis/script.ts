import type { Redis } from "ioredis";

type Run<T> = (client: Redis, keys: readonly string[], args: readonly (string | number)[]) => Promise<T>;

/**
 * A Lua script: several steps that nothing comes between. Its text travels with every call, some hundred bytes; by its
 * hash it would have to be sent again after a restart, behind commands that were to come after it. Keys that a script
 * makes up itself are fine on one server, not on a Redis Cluster.
 */
export const script =
  <T>(lua: string): Run<T> =>
  async (client, keys, args) =>
    (await client.eval(lua, keys.length, ...keys, ...args)) as T;
