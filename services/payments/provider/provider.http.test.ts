import { afterEach, beforeEach, describe, expect, jest, test } from "@jest/globals";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isSigned } from "../signature.ts";
import { startProvider, type LedgerEntry, type Provider, type ProviderOptions } from "./provider.ts";

let folder: string;
let provider: Provider;
const start = async (options: Partial<ProviderOptions> = {}): Promise<void> => {
  provider = await startProvider({ filename: join(folder, "ledger.sqlite"), slowMs: 200, ...options });
};
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "provider-"));
  await start();
});
afterEach(async () => {
  await provider.close();
  await rm(folder, { recursive: true });
});

async function post(path: string, body: unknown = {}, key?: string) {
  const response = await fetch(provider.url + path, {
    method: "POST",
    headers: key === undefined ? {} : { "idempotency-key": key },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
const authorize = (key: string, token = "tok_ok", amount = 2_500) =>
  post("/authorizations", { amount, currency: "EUR", token }, key);
const capture = (key: string) => post(`/authorizations/${key}/capture`);
const voidIt = (key: string) => post(`/authorizations/${key}/void`);
async function ledger(query = ""): Promise<LedgerEntry[]> {
  const response = await fetch(`${provider.url}/ledger${query}`);
  return ((await response.json()) as { entries: LedgerEntry[] }).entries;
}
const entry = (key: string, amounts: Partial<LedgerEntry>) => ({
  key,
  currency: "EUR",
  authorized: 0,
  captured: 0,
  voided: 0,
  declined: 0,
  refunded: 0,
  ...amounts,
});

test("authorizes, and the same key gets the same authorization for ever, also after a restart", async () => {
  const first = await authorize("a");
  expect(first).toMatchObject({ status: 201, body: { status: "authorized", amount: 2_500 } });
  expect(await authorize("a")).toEqual(first);
  await provider.close();
  await start();
  expect(await authorize("a")).toEqual(first);
  expect(await ledger()).toEqual([entry("a", { authorized: 2_500 })]);
});

test("each answer follows a commit of its entry, by a connection that syncs what it commits", async () => {
  /** The rows that another connection sees after each commit, and the sync mode of the committing connection. */
  const commits: object[] = [];
  let isAnswered = false;
  const reader = new DatabaseSync(join(folder, "ledger.sqlite"), { readOnly: true });
  // oxlint-disable-next-line typescript/unbound-method -- bound by each call below
  const exec = DatabaseSync.prototype.exec;
  const spy = jest.spyOn(DatabaseSync.prototype, "exec").mockImplementation(function (this: DatabaseSync, sql) {
    exec.call(this, sql);
    if (sql !== "commit") return;
    const { synchronous } = this.prepare("pragma synchronous").get()!;
    const { journal_mode } = this.prepare("pragma journal_mode").get()!;
    const { status } = reader.prepare("select status from entries where key = 'a'").get() ?? {};
    commits.push({ synchronous, journal_mode, status, isAnswered });
  });
  try {
    for (const [ask, code] of [
      [() => authorize("a"), 201],
      [() => voidIt("a"), 200],
    ] as const) {
      isAnswered = false;
      expect((await ask()).status).toBe(code);
      isAnswered = true;
    }
  } finally {
    spy.mockRestore();
    reader.close();
  }
  // 2 is FULL: in this journal mode each commit waits for its fsync; 1 (NORMAL) would leave that to a checkpoint.
  const synced = { synchronous: 2, journal_mode: "wal", isAnswered: false };
  expect(commits).toEqual([
    { ...synced, status: "authorized" },
    { ...synced, status: "voided" },
  ]);
});

test("authorizations that arrive together under one key are one", async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => authorize("a")));
  expect(new Set(answers.map(({ body }) => body["authorizationId"])).size).toBe(1);
});

test("two providers keep the same books, as workers do: neither fails while the other writes", async () => {
  const other = await startProvider({ filename: join(folder, "ledger.sqlite"), slowMs: 200 });
  try {
    const ask = (url: string, key: string) =>
      fetch(`${url}/authorizations`, {
        method: "POST",
        headers: { "idempotency-key": key },
        body: JSON.stringify({ amount: 1, currency: "EUR", token: "tok_ok" }),
      }).then(({ status }) => status);
    // On one loop they would never meet: the lock is held across turns, as by another process.
    const holder = new DatabaseSync(join(folder, "ledger.sqlite"));
    holder.exec("begin immediate");
    const asked = [provider.url, other.url].map((url, i) => ask(url, `busy-${i}`));
    await sleep(50);
    holder.exec("commit");
    holder.close();
    expect(await Promise.all(asked)).toEqual([201, 201]);
  } finally {
    await other.close();
  }
});

test("refuses a key that is used with another body", async () => {
  await authorize("a");
  expect(await authorize("a", "tok_ok", 9_999)).toMatchObject({ status: 422 });
  expect(await authorize("a", "tok_slow")).toMatchObject({ status: 422 });
  expect(await ledger()).toEqual([entry("a", { authorized: 2_500 })]);
});

const refund = (key: string, amount: number, refundKey: string) =>
  post(`/authorizations/${key}/refunds`, { amount, currency: "EUR" }, refundKey);

test("refunds what was captured, once a key, and never more", async () => {
  await authorize("a");
  expect(await refund("a", 500, "r1")).toMatchObject({ status: 409, body: { status: "declined" } });
  await capture("a");
  const first = await refund("a", 500, "r1");
  expect(first).toMatchObject({ status: 201, body: { status: "refunded", key: "r1", amount: 500 } });
  expect(await refund("a", 500, "r1")).toEqual(first);
  expect(await refund("a", 600, "r1")).toMatchObject({ status: 422 });
  expect(await refund("a", 2_001, "r2")).toMatchObject({ status: 409, body: { status: "declined" } });
  expect(await refund("a", 2_000, "r3")).toMatchObject({ status: 201 });
  expect(await refund("a", 1, "r4")).toMatchObject({ status: 409 });
  expect(await refund("nobody", 1, "r5")).toMatchObject({ status: 404 });
  expect(await ledger()).toEqual([entry("a", { authorized: 2_500, captured: 2_500, refunded: 2_500 })]);
});

test("tok_pending waits for its customer, and a webhook tells what they said, signed", async () => {
  const told: { body: string; signature: string }[] = [];
  const listener = createServer((request, response) => {
    void text(request).then(body => {
      told.push({ body, signature: String(request.headers["webhook-signature"]) });
      // The first delivery fails.
      response.writeHead(told.length === 1 ? 503 : 200).end();
    });
  }).listen(0, "127.0.0.1");
  await once(listener, "listening");
  const webhookUrl = `http://127.0.0.1:${(listener.address() as { port: number }).port}/hook`;
  await provider.close();
  await start({ pendingMs: 0, webhookUrl });
  try {
    expect(await authorize("a", "tok_pending")).toMatchObject({ status: 202, body: { status: "pending" } });
    expect(await capture("a")).toMatchObject({ status: 409, body: { status: "pending" } });
    expect(await ledger()).toEqual([entry("a", {})]);
    expect(await post("/authorizations/a/settle", { status: "authorized" })).toMatchObject({ status: 200 });
    // Once: the customer cannot change the answer.
    expect(await post("/authorizations/a/settle", { status: "declined" })).toMatchObject({
      body: { status: "authorized" },
    });
    while (told.length < 2) await sleep(20);
    const { body, signature } = told[1]!;
    expect(JSON.parse(body)).toMatchObject({ key: "a", status: "authorized", authorizationId: expect.any(String) });
    expect(isSigned(body, signature, provider.webhookSecret, Date.now())).toBe(true);
    expect(told[0]!.body).toBe(body);
  } finally {
    listener.close();
  }
});

test("a pending authorization is agreed to after a while, also when the provider was away meanwhile", async () => {
  await provider.close();
  await start({ pendingMs: 0 });
  await authorize("a", "tok_pending");
  const { webhookSecret } = provider;
  await provider.close();
  await start({ pendingMs: 50 });
  expect(provider.webhookSecret).toBe(webhookSecret);
  const status = async () => (await (await fetch(`${provider.url}/authorizations/a`)).json()) as { status: string };
  while ((await status()).status === "pending") await sleep(20);
  expect(await status()).toMatchObject({ key: "a", status: "authorized" });
});

test("a void takes back what is pending", async () => {
  await provider.close();
  await start({ pendingMs: 0 });
  await authorize("a", "tok_pending");
  expect(await voidIt("a")).toMatchObject({ status: 200, body: { status: "voided" } });
  expect(await post("/authorizations/a/settle", { status: "authorized" })).toMatchObject({
    body: { status: "voided" },
  });
});

test("each answer that refuses a key gives the state of the key", async () => {
  await authorize("a");
  await capture("a");
  expect(await voidIt("a")).toMatchObject({ status: 409, body: { status: "captured" } });
  await voidIt("b");
  expect(await authorize("b")).toMatchObject({ status: 409, body: { status: "voided" } });
  expect((await fetch(`${provider.url}/authorizations/nobody`)).status).toBe(404);
});

test("declines tok_declined and tokens that it does not know, for ever", async () => {
  for (const token of ["tok_declined", "tok_unheard_of"]) {
    expect(await authorize(token, token)).toMatchObject({ status: 402 });
    expect(await authorize(token, token)).toMatchObject({ status: 402 });
    expect(await capture(token)).toMatchObject({ status: 409 });
    expect(await voidIt(token)).toMatchObject({ status: 200, body: { status: "declined" } });
  }
  expect(await ledger()).toEqual([
    entry("tok_declined", { declined: 2_500 }),
    entry("tok_unheard_of", { declined: 2_500 }),
  ]);
});

test("captures what is authorized, once", async () => {
  await authorize("a");
  expect(await capture("a")).toMatchObject({ status: 200, body: { status: "captured" } });
  expect(await capture("a")).toMatchObject({ status: 200, body: { status: "captured" } });
  expect(await voidIt("a")).toMatchObject({ status: 409 });
  expect(await capture("nobody")).toMatchObject({ status: 404 });
  expect(await ledger()).toEqual([entry("a", { authorized: 2_500, captured: 2_500 })]);
});

test("voids what is authorized; it cannot be captured any more", async () => {
  await authorize("a");
  expect(await voidIt("a")).toMatchObject({ status: 200, body: { status: "voided" } });
  expect(await voidIt("a")).toMatchObject({ status: 200, body: { status: "voided" } });
  expect(await capture("a")).toMatchObject({ status: 409 });
  expect(await authorize("a")).toMatchObject({ status: 409 });
  expect(await ledger()).toEqual([entry("a", { authorized: 2_500, voided: 2_500 })]);
});

test("a void before its authorization is a tombstone, which refuses the authorization", async () => {
  expect(await voidIt("a")).toMatchObject({ status: 200, body: { status: "voided" } });
  expect(await authorize("a")).toMatchObject({ status: 409 });
  expect(await ledger()).toEqual([entry("a", { currency: null })]);
});

test("a void overtakes tok_slow, which enters nothing before its delay", async () => {
  const slow = authorize("a", "tok_slow");
  expect(await voidIt("a")).toMatchObject({ status: 200 });
  expect(await slow).toMatchObject({ status: 409 });
});

describe("tok_flaky", () => {
  const fates = [
    { fate: 0.0, answer: 503, written: false },
    { fate: 0.2, answer: undefined, written: false },
    { fate: 0.3, answer: 503, written: true },
    { fate: 0.4, answer: undefined, written: true },
    { fate: 0.9, answer: 201, written: true },
  ];
  for (const { fate, answer, written } of fates)
    test(`${answer ?? "a lost connection"}, ${written ? "after" : "before"} the ledger was written`, async () => {
      await provider.close();
      await start({ random: () => fate });
      const asked = authorize("a", "tok_flaky").then(({ status }) => status);
      await (answer === undefined
        ? expect(asked).rejects.toThrow("fetch failed")
        : expect(asked).resolves.toBe(answer));
      expect(await ledger()).toHaveLength(written ? 1 : 0);
    });
});

describe("bad input changes nothing", () => {
  const good = { amount: 1, currency: "EUR", token: "tok_ok" };
  const bad: [string, unknown, string | undefined, number][] = [
    ["no key", good, undefined, 400],
    ["a key that is too long", good, "k".repeat(201), 400],
    ["broken JSON", "{", "a", 400],
    ["no object", "null", "a", 400],
    ["an unknown field", { ...good, tip: 1 }, "a", 400],
    ["a negative amount", { ...good, amount: -1 }, "a", 400],
    ["half a cent", { ...good, amount: 0.5 }, "a", 400],
    ["a body past the bound", { ...good, token: "t".repeat(5_000) }, "a", 413],
  ];
  test.each(bad)("%s", async (_what, body, key, status) => {
    expect(await post("/authorizations", body, key)).toMatchObject({ status });
    expect(await ledger()).toEqual([]);
  });

  test("unknown paths and methods", async () => {
    expect(await post("/nothing")).toMatchObject({ status: 404 });
    expect(await post("/ledger")).toMatchObject({ status: 405 });
    expect(await post("/authorizations/%E0%A4%A/void")).toMatchObject({ status: 404 });
    expect(await ledger("?limit=0")).toBeUndefined();
  });
});

test("the ledger comes in pages", async () => {
  for (const key of ["a", "b", "c"]) await authorize(key);
  expect((await ledger("?limit=2")).map(({ key }) => key)).toEqual(["a", "b"]);
  expect((await ledger("?limit=2&after=b")).map(({ key }) => key)).toEqual(["c"]);
});

describe("as a program of its own", () => {
  const program = fileURLToPath(new URL("server.ts", import.meta.url));
  const run = (...args: string[]) => {
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program, ...args]);
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
    return { child, exited: once(child, "exit"), output: () => output };
  };

  test("listens, says where, and ends on SIGTERM", async () => {
    const { child, exited, output } = run("--port", "0", "--data", join(folder, "own.sqlite"));
    await once(child.stdout, "data");
    const url = /http:\S+/.exec(output())![0];
    expect((await fetch(`${url}/ledger`)).status).toBe(200);
    child.kill("SIGTERM");
    expect(await exited).toEqual([0, null]);
  });

  test("explains itself, and names a wrong option", async () => {
    const help = run("--help");
    expect(await help.exited).toEqual([0, null]);
    expect(help.output()).toContain("--slow-ms");
    const wrong = run("--port", "99999");
    expect(await wrong.exited).toEqual([2, null]);
    expect(wrong.output()).toContain("--port 99999: expected a whole number from 0 to 65535");
  });
});
