// Failpoints as a process has them: FAILPOINTS is read when it starts.
import { expect, test } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { defineFailpoints } from "./index.ts";

const KERNEL = join(import.meta.dirname, "index.ts");
/** Passes each failpoint three times, and writes after each pass what came of it. */
const SCRIPT = `
import { defineFailpoints } from ${JSON.stringify(KERNEL)};
const failpoint = defineFailpoints("append:after-commit", "saga:before-step");
for (const name of failpoint.names)
  for (const pass of [1, 2, 3])
    try {
      const began = performance.now();
      failpoint(name);
      console.log(name, pass, performance.now() - began < 300 ? "passed" : "slept");
    } catch (error) {
      console.log(name, pass, error.message);
    }
`;

function run(FAILPOINTS: string) {
  const args = ["--disable-warning=ExperimentalWarning", "--input-type=module", "-e", SCRIPT];
  const env = { PATH: process.env["PATH"], FAILPOINTS };
  const { stdout, stderr, signal } = spawnSync(process.execPath, args, { env, encoding: "utf8", timeout: 60_000 });
  return { passes: stdout.trim().split("\n"), stderr, signal };
}

test("off, a failpoint does nothing", () => {
  const failpoint = defineFailpoints("a:before", "a:after");
  expect(failpoint.names).toEqual(["a:before", "a:after"]);
  expect(() => failpoint("a:before")).not.toThrow();
});

test("a pass throws, sleeps or goes on, as FAILPOINTS says", () => {
  const { passes, signal } = run("append:after-commit=throw#2; saga:before-step=sleep(400)@1");
  expect(signal).toBe(null);
  expect(passes).toEqual([
    "append:after-commit 1 passed",
    "append:after-commit 2 failpoint append:after-commit",
    "append:after-commit 3 passed",
    ...[1, 2, 3].map(pass => `saga:before-step ${pass} slept`),
  ]);
});

test("a process is killed at the pass named, and says so", () => {
  const { passes, stderr, signal } = run("saga:before-step=kill#2");
  expect(signal).toBe("SIGKILL");
  expect(passes.at(-1)).toBe("saga:before-step 1 passed");
  expect(stderr).toContain("failpoint saga:before-step: kill -9 at pass 2");
});

test("a probability of 0 fires never, and failpoints of other code are passed over", () => {
  const { passes } = run("append:after-commit=throw@0;relay:published=kill");
  expect(passes.filter(pass => pass.endsWith("passed"))).toHaveLength(6);
});
