// The build, on a copy of the sources: what comes out of it, when it is done anew, and what happens where several processes want it.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { Child } from "@valence/runtime/testing/servers";

const PROJECT = join(import.meta.dirname, "..");
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "build-"));
  const isSource = (path: string): boolean => !/[/\\](dist|node_modules)$/.test(path);
  for (const name of ["web", "client"])
    cpSync(join(PROJECT, name), join(folder, name), { recursive: true, filter: isSource });
  // These alone: the image has no others either when it builds.
  for (const name of ["package.json", "package-lock.json", "tsconfig.json"])
    cpSync(join(PROJECT, name), join(folder, name));
  symlinkSync(join(PROJECT, "node_modules"), join(folder, "node_modules"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Builds as a program does; the folder of the output. */
async function build(...args: string[]): Promise<string> {
  const child = new Child([join(folder, "web/build.ts"), ...args], {});
  await new Promise(resolve => child.process.once("close", resolve));
  if (child.process.exitCode !== 0) throw new Error(child.output);
  return child.output.trim().split("\n").at(-1)!;
}
const outputs = (): string[] => readdirSync(join(folder, "web/dist")).sort();
const textsIn = (output: string, ending: RegExp): string[] =>
  (readdirSync(output, { recursive: true }) as string[])
    .filter(file => ending.test(file))
    .map(file => readFileSync(join(output, file), "utf8"));

test("two processes that want the same output make it once, although a third has died over it", async () => {
  const gone = new Child(["--version"], {});
  await gone.end("SIGKILL");
  await build();
  rmSync(join(folder, "web/dist"), { recursive: true });
  cpSync(join(folder, "package.json"), join(folder, "web/dist/unfinished-1/assets/half.js"));
  writeFileSync(join(folder, "web/dist/lock"), `${gone.process.pid}`);
  const [one, two] = await Promise.all([build(), build()]);
  expect(one).toBe(two);
  const name = basename(one);
  expect(new Set(outputs())).toEqual(new Set([name, "current"]));
  expect(readFileSync(join(folder, "web/dist/current"), "utf8")).toBe(name);
});

test("the output keeps to the policy: nothing inline, nothing of elsewhere, a hash in the name of each file", async () => {
  const output = await build();
  const pages = textsIn(output, /\.html$/);
  expect(pages).toHaveLength(2);
  for (const page of pages) {
    expect(page).not.toMatch(/<style|\sstyle=|\son\w+=|data:|https?:/);
    const linked = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url ?? "");
    expect(linked.filter(url => !/^\/assets\/[\w-]+-[\w-]{8}\.(js|css|svg)$/.test(url))).toEqual([]);
    for (const url of linked) expect(existsSync(join(output, url))).toBe(true);
    expect([...page.matchAll(/<script(?![^>]*\ssrc=)/g)]).toEqual([]);
  }
  expect(textsIn(output, /\.css$/).filter(text => /url\(|@import/.test(text))).toEqual([]);
});

test("what is larger than a packet is there compressed, byte for byte the same", async () => {
  const output = await build();
  const files = (readdirSync(output, { recursive: true }) as string[]).filter(file => file.endsWith(".br"));
  expect(files.length).toBeGreaterThan(4);
  for (const file of files.map(name => join(output, name.slice(0, -3)))) {
    const bytes = readFileSync(file);
    expect(brotliDecompressSync(readFileSync(`${file}.br`)).equals(bytes)).toBe(true);
    expect(gunzipSync(readFileSync(`${file}.gz`)).equals(bytes)).toBe(true);
  }
});

test("a change of a source makes another output, and the former one goes; a test's does not", async () => {
  const before = await build();
  writeFileSync(join(folder, "web/kit/some.test.ts"), "// a test");
  expect(await build()).toBe(before);
  writeFileSync(join(folder, "web/kit/theme.js"), "// other colours");
  const after = await build();
  expect(after).not.toBe(before);
  expect([existsSync(before), existsSync(after)]).toEqual([false, true]);
});

test("with --out it goes where it is wanted, and the gateway's output stays", async () => {
  const before = outputs();
  const out = join(folder, "cdn");
  expect(await build("--out", out)).toBe(out);
  expect(existsSync(join(out, "storefront.html"))).toBe(true);
  expect(outputs()).toEqual(before);
});

test("sources that do not compile are said, and leave nothing behind", async () => {
  const before = outputs();
  writeFileSync(join(folder, "web/kit/icon.tsx"), "export const Icon = (");
  await expect(build()).rejects.toThrow(/icon\.tsx/);
  expect(outputs().filter(name => !before.includes(name) && !name.startsWith("unfinished"))).toEqual([]);
  expect(existsSync(join(folder, "web/dist/lock"))).toBe(false);
});
