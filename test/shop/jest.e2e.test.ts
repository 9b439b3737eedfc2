// Jest as people run it: a path narrows a run, and a run that fails or is interrupted leaves nothing behind.
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { until } from "@valence/runtime/testing";

const ROOT = join(import.meta.dirname, "../..");
const FIXTURE = "left-behind.fixture.ts";
const FAILING = `/${FIXTURE}`;
/** With a second file jest runs each in a worker, a process of its own. */
const ANOTHER = "/kernel/ids.test.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "left-behind-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function jest(files: readonly string[], env: Record<string, string> = {}) {
  const file = join(folder, "pid");
  const args = ["--experimental-vm-modules", "node_modules/jest/bin/jest.js", "--selectProjects", "unit"];
  const run = spawn(process.execPath, [...args, "--testRegex", ...files], {
    cwd: ROOT,
    env: { ...process.env, LEFT_BEHIND: file, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [run.stdout, run.stderr]) stream.on("data", chunk => (output += String(chunk)));
  return {
    run,
    exit: once(run, "exit"),
    output: () => output,
    /** Process id of the process that the test file starts. */
    started: async () => {
      const started = () => existsSync(file) && readFileSync(file, "utf8") !== "";
      await until("the file has started its process", started);
      return Number(readFileSync(file, "utf8"));
    },
  };
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

const listed = (script: string, ...args: string[]) => {
  const run = spawnSync("npm", ["run", "--silent", script, "--", ...args, "--listTests"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  const paths = run.stdout.split("\n").filter(line => line.endsWith(".ts"));
  return { ...run, files: [...new Set(paths.map(path => relative(ROOT, path)))].sort() };
};

test.each([
  ["test", ["services/orders/order.test.ts", "services/orders/orders.int.test.ts"]],
  ["test:unit", ["services/orders/order.test.ts"]],
  ["test:int", ["services/orders/orders.int.test.ts"]],
  ["test:postgres", ["services/orders/orders.int.test.ts"]],
])("npm run %s -- services/orders runs the tests of its kind in that folder, and no others", (script, files) => {
  expect(listed(script, "services/orders").files).toEqual(files);
});

test("a path of another kind is refused, with the command that runs it", () => {
  const { status, stderr, files } = listed("test:unit", "services/orders/orders.int.test.ts");
  expect([status, files]).toEqual([1, []]);
  expect(stderr).toContain("orders.int.test.ts needs a database");
  expect(stderr).toContain("npm run test:int -- services/orders/orders.int.test.ts");
});

test("a path that would be taken for a project is refused, with the command that takes paths", () => {
  const { status, stderr, files } = listed("test", "--selectProjects", "postgres", "services/orders");
  expect([status, files]).toEqual([1, []]);
  expect(stderr).toContain('"services/orders" is no project');
});

test.each([
  ["in jest's own process", [FAILING]],
  ["in a worker", [FAILING, ANOTHER]],
])("a file that fails before its own clean-up, %s: jest ends, and what it started has ended", async (_where, files) => {
  const { exit, started, output } = jest(files);
  const pid = await started();
  expect([await exit, output()]).toEqual([[1, null], expect.stringContaining("in the midst of things")]);
  expect(isRunning(pid)).toBe(false);
});

test("a run that passes ends by itself, its workers too", async () => {
  const { exit, output } = jest([ANOTHER, "/kernel/json.test.ts"]);
  expect(await exit).toEqual([0, null]);
  expect(output()).not.toMatch(/force exited|left something open/);
});

test.each<[NodeJS.Signals, string, string[]]>([
  ["SIGINT", "in jest's own process", [FAILING]],
  ["SIGTERM", "in a worker", [FAILING, ANOTHER]],
  ["SIGKILL", "in jest's own process", [FAILING]],
  ["SIGKILL", "in a worker", [FAILING, ANOTHER]],
])("jest ended by %s while a test runs %s takes what it started with it", async (signal, _where, files) => {
  const { run, exit, started } = jest(files, { HANGS: "yes" });
  const pid = await started();
  run.kill(signal);
  await exit;
  await until("it has ended too", () => !isRunning(pid), 5_000);
});
