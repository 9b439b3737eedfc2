// @slow: it installs schemathesis from PyPI, and sends some thousand requests.
// An outsider's fuzzer on the description: it finds no failure, no answer that is not described, no request that should have
// been refused, and nothing that opens without a token. `npm run test:api` sends many more (API_EXAMPLES for each operation).
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { has, Workbench } from "./workbench.ts";

const VERSION = "4.32.5";
const EXAMPLES = Number(process.env["API_EXAMPLES"] ?? 2);
const SEED = process.env["FUZZ_SEED"] ?? "1";
const hasPython = has("python3", "-m", "venv", "--help");
// Schemathesis is a Python program.
const tryIt = hasPython ? test : test.skip;

let bench: Workbench;
beforeAll(async () => {
  if (!hasPython) return;
  bench = await Workbench.open();
  for (const file of ["schemathesis.toml", "hooks.py"]) cpSync(join(import.meta.dirname, file), bench.path(file));
  install();
}, 600_000);
afterAll(() => bench?.close());

/**
 * By the machine's own pip where there is one, since an environment without it is made in no time. Python compiles what it
 * imports; pip would compile everything, half of an installation's time.
 */
function install(): void {
  const options = ["install", "--quiet", "--no-compile", "--disable-pip-version-check", `schemathesis==${VERSION}`];
  if (has("python3", "-m", "pip", "--version")) {
    bench.run("python3", ["-m", "venv", "--without-pip", "python"]);
    bench.run("python3", ["-m", "pip", "--python", bench.path("python/bin/python"), ...options]);
  } else {
    bench.run("python3", ["-m", "venv", "python"]);
    bench.run("python/bin/pip", options);
  }
}

tryIt(
  "schemathesis finds nothing, as an administrator",
  () => {
    // Its phase `coverage` alone sends 2,500 requests: it is for the long run.
    const phases = EXAMPLES > 10 ? "examples,coverage,fuzzing" : "examples,fuzzing";
    const output = bench.run("python/bin/st", [
      "run",
      bench.path("admin.json"),
      `--url=${bench.shop.url}`,
      `--header=Authorization: Bearer ${bench.admin}`,
      "--checks=all",
      `--max-examples=${EXAMPLES}`,
      `--seed=${SEED}`,
      `--phases=${phases}`,
      "--continue-on-failure",
      "--workers=2",
      "--request-timeout=20",
      "--no-color",
    ]);
    expect(output).toMatch(/Tested: \d\d/);
    expect(output).not.toMatch(/Failures:/);
    expect(bench.shop.child.output).not.toMatch(/ERROR|unhandled/i);
  },
  600_000 + EXAMPLES * 30_000,
);
