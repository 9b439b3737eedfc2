// The README's first order, word for word, as a new reader types it.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "@valence/runtime/testing";
import { Child } from "@valence/runtime/testing/servers";

const root = join(import.meta.dirname, "../../..");
const section = readFileSync(join(root, "README.md"), "utf8").split("## A first order")[1]!;
const script = /```sh\n([\s\S]*?)```/.exec(section)![1]!;
const hasCurl = spawnSync("curl", ["--version"]).status === 0;

let folder: string;
let shop: Child;
let url: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "readme-"));
  shop = new Child([join(root, "mixins/cli/valence.mjs"), "start"], { DATA_DIR: folder, PORT: "0" });
  await until("the shop is open", () => {
    if (!shop.running) throw new Error(`it is not: ${shop.output}`);
    return shop.output.includes("The shop is open");
  });
  url = /LISTENING (\S+)/.exec(shop.output)![1]!;
});
afterAll(async () => {
  await shop.end("SIGTERM");
  rmSync(folder, { recursive: true });
});

// Without curl these lines cannot be run.
const tryIt = hasCurl ? test : test.skip;
tryIt("the first order of the README is placed and ships", () => {
  expect(script).toContain("http://localhost:3000/");
  // Read again until the order is shipped, which takes longer than 2 s on a busy machine.
  const ask = script.trimEnd().split("\n").at(-1)!;
  const wait = `for n in $(seq 60); do ${ask} | grep -q '"shipped"' && break; sleep 0.5; done`;
  expect(script).toContain(`\n${ask}\n`);
  const theirs = `${script.replace(`\n${ask}\n`, `\n${wait}\n${ask}\n`)}\ncurl -s $API/products/$PRODUCT`;
  const out = execFileSync("sh", ["-c", theirs.replaceAll("http://localhost:3000", url)], { encoding: "utf8" });
  expect(out).toContain('"status":"placed"');
  expect(out).toContain('"status":"shipped"');
  // The text says that it orders a mug.
  expect(out).toContain('"name":"Harbour Mug');
});
