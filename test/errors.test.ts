// Every error is named in one catalogue, docs/errors.md is written from them, and the API's description lists each route's.
import { expect, test } from "@jest/globals";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { AnyContract } from "@valence/runtime/contract";
import type { ErrorFactory } from "@valence/runtime/kernel";
import { errorPage } from "../mixins/cli/error-page.ts";
import { cataloguesOf } from "../mixins/gateway/problems/catalogues.ts";
import { routes } from "../services/api/routes/index.ts";

const root = join(import.meta.dirname, "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");

const catalogues = await cataloguesOf(join(root, "services"));
type Factory = Pick<ErrorFactory, "code" | "status" | "definition">;
const factories: Factory[] = catalogues.flatMap(({ errors }) => Object.values(errors));
const contracts: AnyContract[] = await Promise.all(
  globSync("{services/*,mixins/{audit,operations}}/contract.ts", { cwd: root }).map(async path => {
    const { contract } = (await import(join(root, path))) as { contract: AnyContract };
    return contract;
  }),
);
const sources = globSync("{mixins,services}/**/*.ts", { cwd: root })
  .filter(path => !/\.(test|fixture|conformance)\.ts$|node_modules/.test(path))
  .map(path => [path, read(path)] as const);

test("docs/errors.md is what the catalogues say; `npx valence docs` writes it", () => {
  expect(read("docs/errors.md")).toBe(errorPage(catalogues));
});

test("a code is in one catalogue: it has one status and one meaning", () => {
  expect(factories.length).toBeGreaterThan(100);
  const twice = factories.filter(({ code }, i) => factories.findIndex(other => other.code === code) !== i);
  expect(twice.map(({ code }) => code)).toEqual([]);
});

test("no error with a code is made outside of the catalogues", () => {
  const literal = /new (?:Refusal|Unavailable|Bug)\(\s*"[^"]+"/g;
  expect(sources.flatMap(([path, text]) => (text.match(literal) ?? []).map(found => `${path}: ${found}`))).toEqual([]);
});

test("every code of a catalogue is thrown", () => {
  const code = sources.filter(([path]) => !/(^|\/)(errors|contract)\.ts$/.test(path)).map(([, text]) => text);
  const isThrown = (name: string) => code.some(text => new RegExp(`\\.${name}\\b|refuse\\(\\s*"${name}"`).test(text));
  expect(factories.map(({ code: name }) => name).filter(name => !isThrown(name))).toEqual([]);
});

test("`says` and `todo` are clauses: they neither begin with a capital nor end with a full stop", () => {
  const isClause = (text: string) =>
    text !== "" && !/^[A-Z][a-z]/.test(text.replace(/^Redis /, "")) && !/[.!]$/.test(text);
  expect(
    factories.filter(({ definition: { says, todo } }) => !isClause(says) || !isClause(todo)).map(({ code }) => code),
  ).toEqual([]);
});

test("the refusals of a contract are in a catalogue", () => {
  const known = new Set(factories);
  const strange = contracts.flatMap(({ service, refusals }) =>
    Object.values(refusals as Record<string, Factory>)
      .filter(factory => !known.has(factory))
      .map(({ code }) => `${service}: ${code}`),
  );
  expect(strange).toEqual([]);
});

test("the contract of a route's action says which errors it may give", () => {
  const silent = routes.flatMap(({ target }) => {
    if (!("action" in target)) return [];
    const [service, action] = target.action.split(".") as [string, string];
    const contract = contracts.find(other => other.service === service)!;
    return (contract.mayRefuse as Record<string, unknown>)[action] === undefined ? [target.action] : [];
  });
  expect(silent).toEqual([]);
});
