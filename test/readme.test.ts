// The README's claims about the first minutes hold: the version of Node, and the commands. The guide's index leads to each page.
import { expect, test } from "@jest/globals";
import { globSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const read = (name: string): string => readFileSync(join(import.meta.dirname, "..", name), "utf8");
const { satisfies } = createRequire(import.meta.url)("semver") as {
  satisfies: (version: string, range: string) => boolean;
};
const readme = read("README.md");
const pages = globSync("docs/**/*.md", {
  cwd: join(import.meta.dirname, ".."),
  exclude: ["docs/site/**"],
}).sort();
const { engines, scripts } = JSON.parse(read("package.json")) as { engines: { node: string }; scripts: object };

test("npm ci is silent on the oldest Node that the README allows: no package asks for more", () => {
  const [, minor] = /Node (\d+\.\d+) or newer/.exec(readme)!;
  expect(engines.node).toBe(`>=${minor}.0`);
  const { packages } = JSON.parse(read("package-lock.json")) as {
    packages: Record<string, { engines?: { node?: string }; cpu?: string[]; os?: string[] }>;
  };
  const asksForMore = Object.entries(packages)
    // A package for another machine is passed over.
    .filter(([, { os, cpu }]) => os?.includes(process.platform) !== false && cpu?.includes(process.arch) !== false)
    .filter(([, { engines }]) => engines?.node !== undefined && !satisfies(`${minor}.0`, engines.node))
    .map(([path, { engines }]) => `${path}: ${engines!.node}`);
  expect(asksForMore).toEqual([]);
});

test("the commands that it shows exist", () => {
  const text = [readme, ...pages.map(read)].join("\n");
  const named = [...text.matchAll(/npm run (?:--\S+ )?([\w:-]+)/g)].map(([, name]) => name!);
  expect(named.length).toBeGreaterThan(5);
  expect([...new Set(named)].filter(name => !Object.hasOwn(scripts, name))).toEqual([]);
});

test("the README is short, and its two commands are there", () => {
  expect(readme.split("\n").length).toBeLessThanOrEqual(150);
  for (const command of ["npm ci && npm start", "npm ci && npm test"]) expect(readme).toContain(`\n${command}\n`);
});

test("the index of the guide has every page", () => {
  const linked = [...read("docs/README.md").matchAll(/\]\(([\w-]+\.md)[)#]/g)].map(([, name]) => `docs/${name}`);
  const own = pages.filter(page => /^docs\/[^/]+\.md$/.test(page) && page !== "docs/README.md");
  expect(own.filter(page => !linked.includes(page))).toEqual([]);
});

test.each(pages)("%s opens with its reader and their question", page => {
  // A title, then what generates the page, if anything does, then the reader.
  const [title = "", ...rest] = read(page)
    .split("\n\n")
    .filter(text => !text.startsWith("<!--"));
  expect(title).toMatch(/^# /);
  expect(rest[0]).toMatch(/^For (those|a team)\b/);
});
