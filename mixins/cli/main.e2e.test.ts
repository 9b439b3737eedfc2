// `npx valence` itself: its output without a command, with a wrong one, and outside of a project.
import { expect, test } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");
function valence(args: readonly string[], cwd = ROOT) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, "valence.mjs"), ...args], {
    cwd,
    env: { PATH: process.env["PATH"] },
    encoding: "utf8",
    timeout: 30_000,
  });
  return { status, stdout, stderr };
}
const version = (JSON.parse(readFileSync(join(ROOT, "mixins/package.json"), "utf8")) as { version: string }).version;

test.each([[[]], [["--help"]], [["-h"]], [["help"]]])("valence %j lists every command in a line", args => {
  const { status, stdout } = valence(args);
  expect(status).toBe(0);
  for (const name of [
    "start",
    "repl",
    "migrate",
    "reset",
    "reshard",
    "doctor",
    "consumer",
    "backup",
    "restore",
    "accept-copy",
  ])
    expect(stdout).toMatch(new RegExp(`^  ${name} +\\w`, "m"));
});

test("valence --version is the runtime's", () => expect(valence(["--version"]).stdout).toBe(`${version}\n`));

test("valence help COMMAND is valence COMMAND --help", () => {
  expect(valence(["help", "doctor"])).toEqual(valence(["doctor", "--help"]));
  expect(valence(["help", "doctor"]).stdout).toContain("--deep");
});

test("an unknown command is named, with the nearest one", () => {
  expect(valence(["docto"])).toMatchObject({
    status: 2,
    stdout: "",
    stderr: expect.stringContaining("did you mean doctor?"),
  });
  expect(valence(["constructor"])).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('no command "constructor"'),
  });
});

test("outside of a project a command says so, and helps all the same", () => {
  expect(valence(["start"], tmpdir())).toMatchObject({
    status: 1,
    stdout: "",
    stderr: expect.stringMatching(/^there is no moleculer\.config\.ts in .*npx valence new app FOLDER\n$/),
  });
  expect(valence(["start", "--help"], tmpdir()).status).toBe(0);
});

test("a command works from a folder inside of the project", () => {
  const { status, stderr } = valence(["doctor", "nope"], join(ROOT, "services"));
  expect([status, stderr]).toEqual([1, expect.stringContaining('there is no service "nope"')]);
});
