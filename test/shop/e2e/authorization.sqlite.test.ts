// Every action of the shop that asks for a permission, tested as if it had a cache with its answer in it.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { globSync } from "node:fs";
import { join } from "node:path";
import type { ActionSchema, ServiceSchema } from "moleculer";
import { startBroker, type TestBroker } from "@valence/runtime/testing/broker";

const root = join(import.meta.dirname, "../../..");
/** Left out: services that listen or write by themselves. */
const paths = globSync("services/*/*.service.ts", { cwd: root }).filter(path => !/\/(api|seed)\//.test(path));
const schemas = await Promise.all(paths.map(async path => (await import(join(root, path))).default as ServiceSchema));

let shop: TestBroker;
beforeAll(async () => {
  shop = await startBroker(
    schemas.map(schema => ({
      name: schema.name,
      mixins: [schema],
      merged(merged: ServiceSchema) {
        for (const action of Object.values(merged.actions ?? {}))
          if (typeof action === "object" && "permission" in action) action.cache = true;
      },
    })),
  );
});
afterAll(() => shop.stop());

test("no action that asks for a permission answers from its cache to a user who lacks it", async () => {
  const { broker } = shop;
  const cacher = broker.cacher as unknown as {
    getCacheKey(action: object, options: object, ctx: object): string;
    set(key: string, answer: unknown): Promise<unknown>;
  };
  const actions = broker.registry.getActionList({ onlyLocal: true }).map(({ action }) => action as ActionSchema);
  // Services of every node are none of the shop's.
  const guarded = actions.filter(
    action => action !== undefined && "permission" in action && !action.name!.startsWith("$"),
  );
  expect(guarded.length).toBeGreaterThan(30);
  expect(guarded.filter(({ cache }) => cache !== true)).toEqual([]);
  for (const action of guarded as unknown as { name: string; permission: string | false }[]) {
    const { name, permission } = action;
    await cacher.set(cacher.getCacheKey(action, { enabled: true }, { params: {}, meta: {} }), "cached");
    const as = (meta: object) => broker.call(name, {}, { meta }).catch(({ type }: { type: string }) => type);
    expect([name, await as({ user: { id: "", roles: [] } })]).toEqual([name, "FORBIDDEN"]);
    // Some actions are for services alone, whose calls carry no user.
    expect([name, await as({})]).toEqual([name, "cached"]);
    const admin = { id: "u", roles: ["admin"] };
    expect([name, await as({ user: admin })]).toEqual([name, permission === false ? "FORBIDDEN" : "cached"]);
    const scoped = (...scopes: string[]) => as({ user: { ...admin, scopes } });
    expect([name, await scoped("nothing:read")]).toEqual([name, "FORBIDDEN"]);
    if (permission !== false) expect([name, await scoped(permission)]).toEqual([name, "cached"]);
  }
});
