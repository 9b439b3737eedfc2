// The README's claims about the first minutes hold: the version of Node, and the commands.
import { expect, test } from "@jest/globals";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const read = (name: string): string => readFileSync(join(import.meta.dirname, "..", name), "utf8");
const { satisfies } = createRequire(import.meta.url)("semver") as {
  satisfies: (version: string, range: string) => boolean;
};
const readme = read("README.md");
const { engines, scripts } = JSON.parse(read("package.json")) as { engines: { node: string }; scripts: object };

test("npm ci is silent on the oldest Node that the README allows: no package asks for more", () => {
  const [, minor] = /Node (\d+\.\d+) or newer/.exec(readme)!;
  expect(engines.node).toBe(`>=${minor}.0`);
  const { packages } = JSON.parse(read("package-lock.json")) as {
    packages: Record<string, { engines?: { node?: string } }>;
  };
  const asksForMore = Object.entries(packages)
    .filter(([, { engines }]) => engines?.node !== undefined && !satisfies(`${minor}.0`, engines.node))
    .map(([path, { engines }]) => `${path}: ${engines!.node}`);
  expect(asksForMore).toEqual([]);
});

test("the commands that it shows exist", () => {
  const named = [...readme.matchAll(/npm run (?:--\S+ )?([\w:-]+)/g)].map(([, name]) => name!);
  expect(named.length).toBeGreaterThan(5);
  expect([...new Set(named)].filter(name => !Object.hasOwn(scripts, name))).toEqual([]);
});
