// The commands that people type, as processes.
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "scripts-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const script = (name: string): string => join(import.meta.dirname, name);
const environment = (extra: Record<string, string>) => ({
  PATH: process.env["PATH"],
  DATA_DIR: folder,
  PORT: "0",
  ...extra,
});
function run(name: string, extra: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script(name)], {
    env: environment(extra),
    encoding: "utf8",
    timeout: 20_000,
  });
  return { status, stdout, stderr };
}

test.each([
  ["PORT", "seventy"],
  ["LOGLEVEL", "loud"],
  ["SEED", "maybe"],
  ["ORDERS_DATABASE_URL", "mysql://x"],
  ["PAYMENT_PROVIDER_URL", "ftp://x"],
  ["SERVICES", "orders,odrers"],
  ["SERVICEDIR", "nowhere"],
])("a wrong %s stops the start with one line that names it", (variable, value) => {
  const { status, stdout, stderr } = run("start.mjs", { [variable]: value });
  expect(status).toBe(1);
  expect(stdout).toBe("");
  expect(stderr).toMatch(new RegExp(`^${variable}="[^\\n]*\\n$`));
  expect(existsSync(join(folder, "orders.sqlite"))).toBe(false);
});

/** A shop of the services named; resolves when it has written `ready`. */
async function startShop(ready: string, extra: Record<string, string>) {
  const shop = spawn(process.execPath, [script("start.mjs")], {
    env: environment(extra),
    stdio: ["ignore", "pipe", 2],
  });
  let written = "";
  shop.stdout!.on("data", chunk => (written += String(chunk)));
  const ended = new Promise<number | null>(resolve => shop.once("exit", resolve));
  for (const end = Date.now() + 20_000; !written.includes(ready); await sleep(20))
    if (Date.now() > end || shop.exitCode !== null) throw new Error(`no "${ready}" in: ${written}`);
  return { written, stop: () => (shop.kill("SIGTERM"), ended) };
}

test("SERVICES starts these services only", async () => {
  const { written, stop } = await startShop("started successfully", { SERVICES: "inventory,catalog" });
  expect(await stop()).toBe(0);
  const started = [...written.matchAll(/Service '(\w[\w-]*)' started/g)].map(([, name]) => name);
  expect(new Set(started)).toEqual(new Set(["catalog", "inventory"]));
});

test("reset removes our files and no other, and nothing while a shop runs on them", async () => {
  const { stop } = await startShop("The shop is open", {});
  await writeFile(join(folder, "notes.txt"), "mine");
  const refused = run("reset.ts");
  expect(refused.status).toBe(1);
  expect(refused.stderr).toContain("a shop is running on");
  expect(existsSync(join(folder, "orders.sqlite"))).toBe(true);
  expect(await stop()).toBe(0);

  expect(run("reset.ts").status).toBe(0);
  expect(await readdir(folder)).toEqual(["notes.txt"]);
});
