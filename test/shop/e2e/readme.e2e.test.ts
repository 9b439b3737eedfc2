// The README's first order, word for word, as a new reader types it; and a pipeline's smoke test of that shop.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "@valence/runtime/testing";
import { Child, freePort } from "@valence/runtime/testing/servers";

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

describe("npx valence smoke", () => {
  const smoke = (args: string[], env: Record<string, string> = {}) => {
    const options = { cwd: root, encoding: "utf8", timeout: 60_000, env: { ...process.env, ...env } } as const;
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ["mixins/cli/valence.mjs", "smoke", ...args],
      options,
    );
    return { status, stdout, stderr };
  };

  test("a running shop passes, with an order for the account of a key", async () => {
    const account = { email: "smoke@example.org", password: "correct horse battery" };
    const post = async (path: string, body: object, token?: string): Promise<any> => {
      const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
      return (await fetch(`${url}/api/v1${path}`, { method: "POST", headers, body: JSON.stringify(body) })).json();
    };
    await post("/auth/register", { ...account, name: "Smoke" });
    const { accessToken } = await post("/auth/login", account);
    const { key } = await post("/me/keys", { name: "smoke", scopes: ["orders:read", "orders:write"] }, accessToken);
    const { status, stdout, stderr } = smoke([url], { SMOKE_API_KEY: key });
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^ok {4}products are listed, and one is read: \d+, the first is \w/m);
    expect(stdout).toMatch(/^ok {4}an order is placed, paid and confirmed: order [\w-]+ is (confirmed|shipped)$/m);
    expect(stdout).toContain("3 ok, 0 left out, 0 FAIL");
  });

  test("without a key nothing is changed; what does not answer fails", async () => {
    expect(smoke([url])).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^skip {2}an order .*SMOKE_API_KEY is not set$/m),
    });
    const nobody = smoke([`http://127.0.0.1:${await freePort()}`, "--within", "1"]);
    expect([nobody.status, nobody.stdout]).toEqual([
      1,
      expect.stringMatching(/^FAIL .*ready: not within 1 s.*ECONNREFUSED/),
    ]);
    expect(smoke(["example.org"])).toMatchObject({ status: 1, stderr: expect.stringContaining("name one URL") });
    expect(smoke([`${url}/shop`])).toMatchObject({ status: 1, stderr: expect.stringContaining("without a path") });
    expect(smoke([url, "--header", "x: \u2713"])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("ASCII"),
    });
  });
});
