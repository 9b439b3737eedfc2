// The runner in a folder of its own, as an application uses it: files that fail there are run again, alone.
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../until.ts";

let app: string;
beforeEach(() => {
  app = mkdtempSync(join(tmpdir(), "app-"));
  symlinkSync(join(process.cwd(), "node_modules"), join(app, "node_modules"));
  write("package.json", '{ "type": "module" }');
  write("jest.config.mjs", 'export { jestConfig as default } from "@valence/runtime/testing/jest";');
  write("good.test.ts", `${HEAD} test("stands", () => {});`);
});
afterEach(() => rmSync(app, { recursive: true, force: true }));

const HEAD = `
  import { expect, test } from "@jest/globals";
  import { appendFileSync, readFileSync } from "node:fs";
  const times = name => (appendFileSync(name, "x"), readFileSync(name).length);
`;
/** A test that fails so many times, beside one that passes. */
const failing = (times: number, needs = ""): void =>
  write(
    `fails-${times}${needs}.test.ts`,
    `${HEAD} test("gets there", () => expect(times("fails-${times}")).toBeGreaterThan(${times}));
     test("is well", () => {});`,
  );
const write = (name: string, text: string): void => writeFileSync(join(app, name), text);
const timesOf = (name: string): number => readFileSync(join(app, name)).length;

function start(...args: string[]) {
  const { NODE_OPTIONS: _ours, TEST_OUTCOME_FILE: _outcome, ...env } = process.env;
  const run = spawn(process.execPath, [join(import.meta.dirname, "run.ts"), ...args], {
    cwd: app,
    env: { ...env, COUNTS_FILE: join(app, "counts") },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [run.stdout, run.stderr]) stream.on("data", chunk => (output += String(chunk)));
  return { run, exit: once(run, "close"), output: () => output };
}
async function runs(...args: string[]) {
  const { exit, output } = start(...args);
  const [status] = await exit;
  const counts = existsSync(join(app, "counts")) ? readFileSync(join(app, "counts"), "utf8").trim() : undefined;
  return { status, counts, output: output() };
}

test("a file that passes alone counts as passed, and is named with its tests", async () => {
  failing(1);
  const { status, counts, output } = await runs();
  expect([status, counts]).toEqual([0, "3 0"]);
  expect(output).toContain("FAILED IN THE WHOLE RUN, PASSED ALONE: 1 file\n  fails-1.test.ts (unit): gets there\n");
  expect(output).not.toContain("FAILED TWICE");
});

test("a file that also fails alone has failed, and the command that runs it alone is printed", async () => {
  failing(1);
  failing(2);
  const { status, counts, output } = await runs();
  expect([status, counts]).toEqual([1, "4 1"]);
  expect(output).toContain("PASSED ALONE: 1 file\n  fails-1.test.ts");
  expect(output).toContain("FAILED TWICE: 1 file. To run one alone:\n  npm run test:unit -- fails-2.test.ts\n");
  expect(timesOf("fails-2")).toBe(2);
});

test("a file that cannot even be loaded has failed as one test", async () => {
  write("broken.test.ts", 'import "./nothing.ts";');
  const { status, counts, output } = await runs();
  expect([status, counts]).toEqual([1, "1 1"]);
  expect(output).toContain("FAILED TWICE: 1 file");
});

test("a file is run again in the project that it failed in, with the same filter of names", async () => {
  failing(1, ".e2e");
  const { status, counts, output } = await runs("-t", "gets there");
  expect([status, counts]).toEqual([0, "1 0"]);
  expect(output).toContain("fails-1.e2e.test.ts (int): gets there");
});

test("more than ten files are no bad luck: none is run again", async () => {
  for (let n = 0; n < 11; n++)
    write(`bad-${n}.test.ts`, `${HEAD} test("never", () => { times("bad"); expect(1).toBe(2); });`);
  const { status, counts, output } = await runs();
  expect([status, counts]).toEqual([1, "1 11"]);
  expect(output).toContain("FAILED, too many to be run again: 11 files");
  expect(timesOf("bad")).toBe(11);
});

test("a path narrows it; a path of another kind, or to nothing, runs nothing", async () => {
  failing(1);
  expect(await runs("good")).toMatchObject({ status: 0, counts: "1 0" });
  const other = await runs("--only=int,postgres", "good.test.ts");
  expect(other.status).toBe(1);
  expect(other.output).toContain("good.test.ts needs nothing");
  expect(other.output).toContain("To run it: npm run test:unit -- good.test.ts");
  expect((await runs("gone.test.ts")).status).toBe(1);
  expect(existsSync(join(app, "fails-1"))).toBe(false);
});

test("jest by itself says how a failed file is run alone", async () => {
  failing(1);
  const jest = join(process.cwd(), "node_modules/jest/bin/jest.js");
  const { TEST_OUTCOME_FILE: _outcome, ...env } = process.env;
  const run = spawn(process.execPath, ["--experimental-vm-modules", jest], { cwd: app, env });
  let output = "";
  run.stderr.on("data", chunk => (output += String(chunk)));
  expect(await once(run, "close")).toEqual([1, null]);
  expect(output).toContain("To run a failed file alone:\n  npm run test:unit -- fails-1.test.ts");
});

test.each<[NodeJS.Signals, number | null]>([
  ["SIGINT", 130],
  ["SIGTERM", 143],
])("%s ends jest and its processes; no file is run again", async (signal, code) => {
  write(
    "long.test.ts",
    `${HEAD} import { writeFileSync } from "node:fs";
     test("takes long", async () => { writeFileSync("pid", String(process.pid)); await new Promise(() => {}); });`,
  );
  const { run, exit, output } = start("long");
  await until("it runs", () => existsSync(join(app, "pid")) && readFileSync(join(app, "pid"), "utf8"));
  run.kill(signal);
  expect(await exit).toEqual([code, null]);
  const pid = Number(readFileSync(join(app, "pid"), "utf8"));
  await until("jest has ended", () => !isRunning(pid));
  expect(output()).not.toContain("Once more");
});

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
