// The REPL with the lines that the README shows, and with wrong ones.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { until } from "../testing/index.ts";

const PROMPT = "mol $ ";
let folder: string;
let repl: ReturnType<typeof start>;
let output = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "repl-"));
  repl = start();
  repl.stdout.on("data", chunk => (output += stripVTControlCharacters(String(chunk))));
  await until("it asks", () => {
    if (repl.exitCode !== null) throw new Error(output);
    return output.includes(PROMPT);
  });
});
afterAll(async () => {
  const ended = once(repl, "exit");
  repl.stdin.end("quit\n");
  await ended;
  await rm(folder, { recursive: true, force: true });
});

function start() {
  // Both streams share one pipe, as in a terminal: what is written first is read first.
  const command = ['exec "$0" "$@" 2>&1', process.execPath, join(import.meta.dirname, "valence.mjs"), "repl"];
  return spawn("sh", ["-c", ...command], {
    env: {
      PATH: process.env["PATH"],
      HOME: folder,
      DATA_DIR: folder,
      PORT: "0",
      LOGLEVEL: "warn",
      SERVICES: "ops,orders,checkout",
    },
    stdio: "pipe",
  });
}

/** The REPL's answer to a line, without the echo of the line and without log lines. */
async function say(line: string): Promise<string[]> {
  output = "";
  repl.stdin.write(`${line}\n`);
  await until(`${line} is answered`, () => output.includes(PROMPT));
  const lines = output.slice(0, output.indexOf(PROMPT)).split("\n");
  return lines.filter(said => said.trim() !== "" && !/^>> Call|^\[.*\] WARN/.test(said));
}

test.each([
  ["call ops.sagas --state done", /^>> VALIDATION_ERROR: state must be one of open, running, .*, compensated$/],
  ["call ops.saga", /^>> VALIDATION_ERROR: id is required$/],
  ["call ops.saga --id x --nmae y", /^>> VALIDATION_ERROR: nmae is not allowed$/],
  ["call ops.retrySaga --id nothing", /^>> SAGA_NOT_FOUND: there is no saga nothing$/],
  ["call ops.rebuild --name lists", /^>> PROJECTION_NOT_FOUND: .*lists/],
  ["call ops.sgas", /^>> SERVICE_NOT_FOUND: Service 'ops\.sgas' is not found\.$/],
  ["call orders.get --id 1", /^>> VALIDATION_ERROR: id must be string$/],
  ["call ops.sagas {state", /^>> params: .*JSON/],
  ["dcall elsewhere ops.sagas", /^>> Node 'elsewhere' is not available\.$/],
])("%s is a mistake: it is told in one line", async (line, told) => {
  expect(await say(line)).toEqual([expect.stringMatching(told)]);
});

test("a list of sagas says which ones it has", async () => {
  expect((await say("call ops.sagas")).join("\n")).toContain("{ state: 'open', sagas: [] }");
  expect((await say("call ops.sagas --state stuck")).join("\n")).toContain("{ state: 'stuck', sagas: [] }");
});

test("the list of operations has their params, those that may be left out with a question mark", async () => {
  const line = (await say("actions -f ops.*")).find(said => said.includes("ops.retrySaga "));
  expect(line).toMatch(/id, note\?/);
});
