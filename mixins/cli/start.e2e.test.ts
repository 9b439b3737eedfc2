// A start refuses wrong settings before it starts anything, and commands explain themselves.
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Commands, VALENCE } from "./commands.fixture.ts";

let commands: Commands;
beforeEach(async () => void (commands = await Commands.open()));
afterEach(() => commands.close());

test.each(["--version", "-v", "version"])("start %s says the version and ends", flag => {
  expect(commands.run("start", {}, [flag])).toEqual({
    status: 0,
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    stderr: "",
  });
});

test.each(["reset", "migrate", "doctor", "reshard", "docs"])(
  "%s --help says what it does, and does nothing",
  async name => {
    const file = join(commands.folder, "loans.sqlite");
    new DatabaseSync(file).exec("create table store_schema (version integer)");
    const before = await readFile(file);
    expect(commands.run(name, {}, ["--help"])).toEqual({
      status: 0,
      stdout: expect.stringContaining("npx valence "),
      stderr: "",
    });
    expect(commands.run(name, {}, ["--nonsense"])).toMatchObject({ status: 1, stdout: "" });
    expect(await readdir(commands.folder)).toEqual(["loans.sqlite"]);
    expect(await readFile(file)).toEqual(before);
  },
);

test.each(["an empty folder", "a file"])("SERVICEDIR that is %s stops the start", async what => {
  const root = join(commands.folder, "services");
  await (what === "a file" ? writeFile(root, "") : mkdir(join(root, "loans"), { recursive: true }));
  const { status, stdout, stderr } = commands.run("start", { SERVICEDIR: root });
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/^SERVICEDIR="[^\n]*\n$/);
});

test("a folder whose service has another name stops a start that asks for it by SERVICES", async () => {
  const root = join(commands.folder, "services");
  await mkdir(join(root, "greeter"), { recursive: true });
  await writeFile(join(root, "greeter", "greeter.service.ts"), 'export default { name: "greeting" };');
  const { status, stderr } = commands.run("start", { SERVICEDIR: root, SERVICES: "greeter" });
  expect(status).toBe(1);
  expect(stderr).toMatch(/^SERVICES="greeter": [^\n]*\n$/);
});

test("a start checks the variables that a service declares, gives them to it, and keeps what it has compiled", async () => {
  const root = join(commands.folder, "services");
  const kernel = JSON.stringify(new URL("../kernel/index.ts", import.meta.url).href);
  await mkdir(join(root, "greeter"), { recursive: true });
  await writeFile(
    join(root, "greeter", "environment.ts"),
    `import { defineEnvironment, oneOf } from ${kernel};
     const GREETING = oneOf(["hello", "hola"], { default: "hello", says: "how guests are greeted" });
     export const greeterEnvironment = defineEnvironment("Greeter", { GREETING });`,
  );
  await writeFile(
    join(root, "greeter", "greeter.service.ts"),
    `import { greeterEnvironment } from "./environment.ts";
     export default {
       name: "greeter",
       started() {
         this.logger.info(greeterEnvironment.of(this.broker).GREETING, "guests", process.env.NODE_COMPILE_CACHE);
       },
     };`,
  );
  for (const [variable, value] of [
    ["GREETING", "moin"],
    ["GREETINGG", "hola"],
  ] as const)
    expect(commands.run("start", { SERVICEDIR: root, [variable]: value })).toEqual({
      status: 1,
      stdout: "",
      stderr: expect.stringMatching(new RegExp(`^${variable}="${value}": expected [^\\n]*\\n$`)),
    });
  const { written, stop } = await commands.start("hola guests", {
    SERVICEDIR: root,
    GREETING: "hola",
    TMPDIR: commands.folder,
  });
  // Its compiled code is kept for the next start, whatever becomes of it, and its threads are told where.
  const cache = join(commands.folder, "node-compile-cache");
  expect(written).toContain(cache);
  expect(globSync("**/*", { cwd: cache }).length).toBeGreaterThan(100);
  expect(await stop()).toBe(0);
});

test("an argument that is no flag stops the start", () => {
  expect(commands.run("start", {}, ["services/loans"])).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^services\/loans: [^\n]*SERVICES\n$/),
  });
});

test.each(["20.1.0", "24.0.0", "24.9.1", "24.18.0"])("on Node %s one line says what helps, in production too", node => {
  const old = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${node}' } })`;
  const args = ["--import", `data:text/javascript,${encodeURIComponent(old)}`, VALENCE, "start"];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    env: commands.environment({}),
    encoding: "utf8",
  });
  expect([status, stdout]).toEqual([1, ""]);
  expect(stderr).toMatch(/^Node [\d.]+ is too old, 24\.18\.1 [^\n]*NODE_ENV=production: npm ci --include=dev[^\n]*\n$/);
});

test("the Node that `npm ci` brings is one that a start takes", async () => {
  const { devDependencies } = JSON.parse(await readFile(join(import.meta.dirname, "../../package.json"), "utf8"));
  const [, least = ""] = /NODE_MIN = "([\d.]+)"/.exec(await readFile(VALENCE, "utf8")) ?? [];
  expect(least).toMatch(/^\d+\.\d+\.\d+$/);
  expect(devDependencies.node.localeCompare(least, "en", { numeric: true })).toBeGreaterThanOrEqual(0);
});
