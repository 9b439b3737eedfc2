// The REPL with the lines that the README shows, and with wrong ones; and terminals that join it from other processes.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { until } from "../../mixins/testing/index.ts";

const PROMPT = "mol $ ";
let folder: string;
let repl: Repl;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "repl-"));
  repl = await Repl.start();
});
afterAll(async () => {
  await repl.quit();
  await rm(folder, { recursive: true, force: true });
});

const VALENCE = join(import.meta.dirname, "../../mixins/cli/valence.mjs");
const environment = () => ({
  PATH: process.env["PATH"],
  HOME: folder,
  DATA_DIR: folder,
  PORT: "0",
  LOGLEVEL: "warn",
  SERVICES: "ops,orders,checkout",
});

class Repl {
  readonly process: ReturnType<typeof spawn>;
  output = "";

  private constructor() {
    // Both streams share one pipe, as in a terminal: what is written first is read first.
    const command = ['exec "$0" "$@" 2>&1', process.execPath, VALENCE, "repl"];
    this.process = spawn("sh", ["-c", ...command], { env: environment(), stdio: "pipe" });
    this.process.stdout!.on("data", chunk => (this.output += stripVTControlCharacters(String(chunk))));
  }

  static async start(): Promise<Repl> {
    const repl = new Repl();
    await until("it asks", () => {
      if (repl.process.exitCode !== null) throw new Error(repl.output);
      return repl.output.includes(PROMPT);
    });
    return repl;
  }

  /** The answer to a line, without the echo of the line and without log lines. */
  async say(line: string): Promise<string[]> {
    this.output = "";
    this.process.stdin!.write(`${line}\n`);
    await until(`${line} is answered`, () => this.output.includes(PROMPT));
    const lines = this.output.slice(0, this.output.indexOf(PROMPT)).split("\n");
    return lines.filter(said => said.trim() !== "" && !/^>> Call|^\[.*\] WARN/.test(said));
  }

  async quit(): Promise<void> {
    const ended = once(this.process, "exit");
    this.process.stdin!.end("quit\n");
    await ended;
  }
}
const say = (line: string): Promise<string[]> => repl.say(line);

/** `valence ops`, to its end. */
async function ops(...words: string[]) {
  const child = spawn(process.execPath, [VALENCE, "ops", ...words], {
    env: environment(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  return { code: child.exitCode, out, err };
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
  expect((await say("call ops.sagas")).join("\n")).toContain("{ state: 'open', sagas: [], silent: [] }");
  expect((await say("call ops.sagas --state stuck")).join("\n")).toContain("{ state: 'stuck', sagas: [], silent: [] }");
});

test("the list of operations has their params, those that may be left out with a question mark", async () => {
  const line = (await say("actions -f ops.*")).find(said => said.includes("ops.retrySaga "));
  expect(line).toMatch(/id, note\?/);
});

test("another terminal joins it, and leaves nothing when it is killed", async () => {
  const before = await readdir(folder);
  const other = await Repl.start();
  expect(other.output).toContain(`process ${repl.process.pid} of this machine, as os:`);
  expect((await other.say("sagas")).join("\n")).toContain("open");
  expect((await other.say("call ops.sagas")).join("\n")).toContain("sagas: []");
  expect((await other.say("actions -f ops.saga")).join("\n")).toContain("ops.saga");
  const killed = once(other.process, "exit");
  other.process.kill("SIGKILL");
  await killed;
  expect(await readdir(folder)).toEqual(before);
  expect((await say("nodes")).join("\n")).toMatch(/checkout, .*ops, orders/);
});

test("a script asks without a prompt: 0 when it is done, 1 when it is refused, 2 for a mistake", async () => {
  const [done, forbidden, mistake] = await Promise.all([
    ops("sagas", "--json"),
    ops("saga", "nothing", "retry", "--read-only"),
    ops("sgas"),
  ]);
  expect([done.code, JSON.parse(done.out)]).toEqual([0, { state: "open", sagas: [], silent: [] }]);
  expect(forbidden).toEqual({
    code: 1,
    out: "",
    err: "FORBIDDEN: ops.retrySaga asks for the permission operations:write\n",
  });
  expect(mistake).toEqual({ code: 2, out: "", err: 'there is no command "sgas"; did you mean sagas?\n' });
});
