// docs/errors.md lists every code that a client or another service may meet, and no other.
import { expect, test } from "@jest/globals";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { AnyContract } from "@valence/runtime/contract";

const root = join(import.meta.dirname, "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");

const documented = new Map(
  [...read("docs/errors.md").matchAll(/^\| `([A-Z_]+)` \| (\d+) \|/gm)].map(([, code, status]) => [code!, status!]),
);
const sources = globSync("{mixins,broker,services}/**/*.ts", { cwd: root })
  .filter(path => !/\.(test|fixture|conformance)\.ts$/.test(path))
  .map(read);
const refusals: string[] = (
  await Promise.all(globSync("services/*/contract.ts", { cwd: root }).map(path => import(join(root, path))))
).flatMap(({ contract }: { contract: AnyContract }) => contract.refusals);
/** Between a saga and its own journal, a projection and its consumer: nobody else meets them. */
const INTERNAL = ["SAGA_EXISTS", "JOURNAL_MOVED", "HANDLERS_HANG"];
const thrown = sources.flatMap(text =>
  [...text.matchAll(/(?:new (?:Refusal|Unavailable)\(|\brefuse\(|rule: )\s*"([A-Z][A-Z_]{3,})"/g)].map(
    ([, code]) => code!,
  ),
);

test("every code that a contract declares or code throws is documented", () => {
  const codes = new Set([...refusals, ...thrown]);
  expect(codes.size).toBeGreaterThan(50);
  expect([...codes].filter(code => !documented.has(code) && !INTERNAL.includes(code))).toEqual([]);
});

test("every documented code exists", () => {
  const text = sources.join("\n");
  expect([...documented.keys()].filter(code => !text.includes(`"${code}"`))).toEqual([]);
});

test("a status that code gives to a refusal is the documented one, or named in its line", () => {
  const page = read("docs/errors.md");
  const wrong = sources.flatMap(text =>
    [...text.matchAll(/(?:new Refusal|refuse)\(\s*"([A-Z_]+)",\s*\{[^}]*?status: (\d+)/g)]
      .filter(
        ([, code, status]) => !page.split("\n").some(line => line.includes(`\`${code}\``) && line.includes(status!)),
      )
      .map(([, code, status]) => `${code} ${status}`),
  );
  expect(wrong).toEqual([]);
});

test("a code has one meaning: code gives it one status", () => {
  const statuses = new Map<string, Set<string>>();
  for (const text of sources)
    for (const [, code, status] of text.matchAll(
      /(?:new Refusal|refuse)\(\s*(?:"([A-Z_]+)"),\s*\{[^}]*?status: (\d+)/g,
    ))
      statuses.set(code!, (statuses.get(code!) ?? new Set()).add(status!));
  expect(statuses.size).toBeGreaterThan(30);
  expect([...statuses].filter(([, of]) => of.size > 1).map(([code]) => code)).toEqual([]);
});
