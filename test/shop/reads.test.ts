// A client's read may be repeated at another node when the first has died with it: no action that writes is repeated.
import { expect, test } from "@jest/globals";
import { routes } from "../../services/api/routes/index.ts";
import { serviceFiles, serviceNames } from "../../mixins/operations/services.ts";

/** The repeatable actions of a service's schemas, by their names on the bus. */
async function repeatableOf(service: string): Promise<string[]> {
  const names: string[] = [];
  for (const file of serviceFiles("services", service)) {
    const { default: schema } = (await import(file)) as { default: any };
    for (const part of [schema, ...(schema.mixins ?? [])])
      for (const [action, definition] of Object.entries<any>(part.actions ?? {}))
        if (definition?.repeatable) names.push(`${schema.name}.${action}`);
  }
  return names;
}

const OPERATORS: ReadonlySet<string> = new Set(["admin", "viewer"]);

test("every read of a customer or a visitor is repeatable", async () => {
  const repeatable = new Set((await Promise.all(serviceNames("services").map(repeatableOf))).flat());
  const reads = routes
    .filter(({ method, access }) => method === "GET" && [access].flat().some(role => !OPERATORS.has(role)))
    .flatMap(({ target }) => ("action" in target ? [target.action] : []));
  expect(reads.length).toBeGreaterThan(5);
  expect(reads.filter(action => !repeatable.has(action))).toEqual([]);
});
