// Prometheus' own tool on its settings and on the alert rules, and the tests of the rules.
import { expect, test } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { globSync } from "node:fs";
import { program } from "@valence/runtime/testing/servers";
import { RULES } from "../../observability/build.ts";
import { ROOT } from "./manifests.ts";

const promtool = promtoolHere();
// Only promtool can check them: without it, and without apt to bring it, there is nothing to run.
const testRules = promtool === undefined ? test.skip : test;

function promtoolHere(): string | undefined {
  try {
    return program({ name: "promtool", package: "prometheus", unpacked: true });
  } catch (error) {
    console.warn(`The alert rules are not tested: ${(error as Error).message}`);
    return undefined;
  }
}

/** Throws with its output if it finds anything. */
const run = (...args: string[]): string =>
  execFileSync(promtool!, args, { cwd: ROOT, encoding: "utf8", stdio: "pipe" });

testRules("promtool takes the settings and the rules", () => {
  run("check", "config", "--syntax-only", "observability/prometheus/prometheus.yml");
  expect(run("check", "rules", "--lint=all", "--lint-fatal", ...RULES)).toContain("SUCCESS");
});

testRules.each(globSync("observability/prometheus/tests/*.yml", { cwd: ROOT }))("%s passes", file => {
  expect(run("test", "rules", file)).toContain("SUCCESS");
});
