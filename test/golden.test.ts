// Every shape that a service records is frozen, and today's code reads it.
import { expect, test } from "@jest/globals";
import { globSync } from "node:fs";
import { dirname, join } from "node:path";
import { definitionsIn } from "@valence/runtime/actor";
import { checkFrozen } from "@valence/runtime/testing";

const root = join(import.meta.dirname, "..");
const services = globSync("services/**/contract.ts", { cwd: root }).map(dirname).sort();

test.each(services)("%s: golden samples of every event and state, and today's code reads them", service =>
  checkFrozen(join(root, service)),
);

test("an actor is found by its folder, and a service that has none has no samples", async () => {
  const hello = join(root, "test/hello");
  expect((await definitionsIn(join(hello, "loyalty")))?.actor?.contract.service).toBe("loyalty");
  expect((await definitionsIn(join(hello, "balances")))?.actor).toBeUndefined();
  await checkFrozen(join(hello, "balances"));
  await expect(checkFrozen(hello)).rejects.toThrow("has no contract.ts");
  expect(await definitionsIn(hello)).toBeUndefined();
});
