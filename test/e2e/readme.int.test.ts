// The README's first order, word for word: a stranger's first minute must not fail.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const root = join(import.meta.dirname, "../..");
const section = readFileSync(join(root, "README.md"), "utf8").split("## A first order")[1]!;
const script = /```sh\n([\s\S]*?)```/.exec(section)![1]!;
const hasCurl = spawnSync("curl", ["--version"]).status === 0;

let folder: string;
let shop: ChildProcess;
let url: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "readme-"));
  const env = { PATH: process.env["PATH"], DATA_DIR: folder, PORT: "0" };
  shop = spawn(process.execPath, [join(root, "mixins/cli/valence.mjs"), "start"], {
    env,
    stdio: ["ignore", "pipe", 2],
  });
  let written = "";
  shop.stdout!.on("data", chunk => (written += String(chunk)));
  for (const end = Date.now() + 20_000; !written.includes("The shop is open"); await sleep(20))
    if (Date.now() > end || shop.exitCode !== null) throw new Error(`not open: ${written}`);
  url = /LISTENING (\S+)/.exec(written)![1]!;
});
afterAll(async () => {
  const ended = new Promise(resolve => shop.once("exit", resolve));
  shop.kill("SIGTERM");
  await ended;
  rmSync(folder, { recursive: true });
});

// Without curl there is nothing to try.
const tryIt = hasCurl ? test : test.skip;
tryIt("the first order of the README is placed and ships", () => {
  expect(script).toContain("http://localhost:3000/");
  const theirs = `${script}\ncurl -s $API/products/$PRODUCT`;
  const out = execFileSync("sh", ["-c", theirs.replaceAll("http://localhost:3000", url)], { encoding: "utf8" });
  expect(out).toContain('"status":"placed"');
  expect(out).toContain('"status":"shipped"');
  // It says that it orders a mug.
  expect(out).toContain('"name":"Harbour Mug');
});
