// In a cluster with keys a service may use on nobody's behalf what the contracts of other services let it use. A call that
// its callee does not name works where both are of one role, and fails as soon as they are not.
import { expect, test } from "@jest/globals";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { callersOf, contractOf } from "@valence/runtime/contract";
import { schemaIn, serviceFiles, serviceNames } from "../../mixins/operations/services.ts";

const FOLDER = "services";
/** They act for a person, whose permission decides. */
const FOR_PEOPLE = ["api", "ops"];

/** Names in the sources of a service that may be those of actions. */
const namedBy = (service: string): Set<string> =>
  new Set(
    globSync(join(FOLDER, service, "**/*.ts"))
      .filter(file => !/\.(test|fixture|conformance)\.ts$/.test(file))
      .flatMap(file => [...readFileSync(file, "utf8").matchAll(/"([\w-]+\.\w+)"/g)].map(([, name]) => name!)),
  );

/** Whether the contract lets the service use the action; undefined for what is no action. */
function mayUse(caller: string, name: string): boolean | undefined {
  const [service, action] = name.split(".") as [string, string];
  const contract = contractOf(service);
  if (!contract || service === caller) return undefined;
  const { callers } = callersOf(contract, action);
  if (callers) return callers.includes(caller);
  const isKnown = action in contract.commands || action in contract.actions;
  return isKnown ? typeof contract.permissions[action] !== "string" : undefined;
}

test("what a service calls for nobody, its callee lets it", async () => {
  const names = serviceNames(FOLDER);
  for (const file of names.flatMap(name => serviceFiles(FOLDER, name))) await schemaIn(file);
  const calls = names
    .filter(name => !FOR_PEOPLE.includes(name))
    .flatMap(caller => [...namedBy(caller)].map(action => ({ caller, action, may: mayUse(caller, action) })));
  expect(calls.filter(({ may }) => may).length).toBeGreaterThan(20);
  expect(calls.filter(({ may }) => may === false)).toEqual([]);
});
