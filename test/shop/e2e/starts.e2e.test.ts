// The shop as a process in unusual surroundings: odd folders, a log without a reader, a closed terminal.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmod, cp, mkdir, mkdtemp, open, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { newId } from "@valence/runtime/kernel";
import { until } from "@valence/runtime/testing";
import { Child, freePort } from "@valence/runtime/testing/servers";
import { orderOf, Shop } from "../support/shop.ts";

const ROOT = join(import.meta.dirname, "../../..");
let folder: string;
let shop: Shop | undefined;
let child: ChildProcess | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "starts-"));
});
afterEach(async () => {
  await shop?.stop();
  if (child?.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
  shop = child = undefined;
  await rm(folder, { recursive: true, force: true });
});

test("in a folder with an odd name it starts with all its options, and so do the commands", async () => {
  const root = join(folder, "shop [v2] {a,b} a+(b) !c* 50% #1 ?x ш'о");
  await mkdir(root);
  for (const part of ["mixins", "services", "moleculer.config.ts", "package.json"])
    await cp(join(ROOT, part), join(root, part), { recursive: true });
  await mkdir(join(root, "node_modules/@valence"), { recursive: true });
  for (const name of (await readdir(join(ROOT, "node_modules"))).filter(name => name !== "@valence"))
    await symlink(join(ROOT, "node_modules", name), join(root, "node_modules", name));
  await symlink("../../mixins", join(root, "node_modules/@valence/runtime"));
  for (const args of [[], ["--workers", "2"]]) {
    let output = "";
    child = spawn(process.execPath, ["mixins/cli/valence.mjs", "start", ...args], {
      cwd: root,
      env: { PATH: process.env["PATH"], PORT: "0", SERVICES: "inventory,payments" },
    });
    for (const stream of [child.stdout!, child.stderr!]) stream.on("data", chunk => (output += String(chunk)));
    const exited = once(child, "exit");
    await until("it has started", () => {
      if (child!.exitCode !== null) throw new Error(output);
      return output.includes("started successfully");
    });
    for (const service of ["inventory", "payments", "payment-provider"])
      expect(output).toContain(`Service '${service}' started`);
    child.kill("SIGTERM");
    expect((await exited)[0]).toBe(0);
  }
  expect(await readdir(join(root, "data"))).toContain("inventory.sqlite");
  // The commands beside `start` do the same.
  const migrate = new Child(["mixins/cli/valence.mjs", "migrate"], {
    DATA_DIR: join(root, "data"),
    SERVICES: "inventory",
  });
  await until("it has migrated", () => !migrate.running);
  expect([migrate.process.exitCode, migrate.output]).toEqual([0, expect.stringContaining("inventory: up to date")]);
});

const LOUD = { LOGLEVEL: "debug" };

async function serves(shop: Shop): Promise<string> {
  const token = await shop.customer(newId());
  const [product] = (await shop.request("GET", "/api/v1/products?pageSize=1")).body.rows;
  const body = orderOf([{ productId: product.id, quantity: 1 }]);
  const headers = { "Idempotency-Key": newId() };
  const { status } = await shop.request("POST", "/api/v1/orders", { token, body, headers });
  expect(status).toBe(201);
  return token;
}

test("it serves on when the disk under its log is full", async () => {
  const port = await freePort();
  const full = await open("/dev/full", "w");
  child = spawn(process.execPath, ["mixins/cli/valence.mjs", "start"], {
    cwd: ROOT,
    env: { PATH: process.env["PATH"], DATA_DIR: folder, PORT: `${port}`, ...LOUD },
    stdio: ["ignore", full.fd, full.fd],
  });
  await full.close();
  const exited = once(child, "exit");
  const ready = async (): Promise<boolean> => {
    expect(child!.exitCode).toBeNull();
    return fetch(`http://127.0.0.1:${port}/health/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  };
  await until("it is ready", ready);
  for (let i = 0; i < 5; i++) expect(await ready()).toBe(true);
  child.kill("SIGTERM");
  expect((await exited)[0]).toBe(0);
});

test.each(["1", "2"])(
  "P1 a terminal that closes under %s workers: they serve on without it, and drain",
  async workers => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    // In a process group of its own, as in a terminal: the signal reaches all of it.
    child = spawn(process.execPath, ["mixins/cli/valence.mjs", "start"], {
      cwd: ROOT,
      detached: true,
      env: { PATH: process.env["PATH"], DATA_DIR: folder, PORT: `${port}`, WORKERS: workers, ...LOUD },
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stdout!.resume();
    child.stderr!.resume();
    const exited = once(child, "exit");
    await until("it is ready", () =>
      fetch(`${url}/health/ready`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    // Nobody reads its log any more: each line that it writes from here on is an error to it.
    child.stdout!.destroy();
    child.stderr!.destroy();
    const send = (path: string, init?: RequestInit): Promise<Response> => fetch(`${url}/api/v1${path}`, init);
    const json = { "Content-Type": "application/json" };
    const account = { email: "hup@example.org", password: "correct horse battery" };
    await send("/auth/register", { method: "POST", headers: json, body: JSON.stringify({ ...account, name: "Hup" }) });
    const login = await send("/auth/login", { method: "POST", headers: json, body: JSON.stringify(account) });
    const { accessToken } = (await login.json()) as { accessToken: string };
    const { rows } = (await (await send("/products?pageSize=1")).json()) as { rows: { id: string }[] };
    const body = JSON.stringify(orderOf([{ productId: rows[0]!.id, quantity: 1 }]));
    const orders = Array.from({ length: 20 }, () =>
      send("/orders", {
        method: "POST",
        headers: { ...json, Authorization: `Bearer ${accessToken}`, "Idempotency-Key": newId() },
        body,
      }).then(
        ({ status }) => status,
        (error: Error & { cause?: { code?: string } }) => error.cause?.code,
      ),
    );
    await Promise.race(orders);
    process.kill(-child.pid!, "SIGHUP");
    const answers = await Promise.all(orders);
    expect(answers).toContain(201);
    // A refused connection is fine: the port is closed. A cut one is not.
    expect(answers.filter(answer => ![201, 503, "ECONNREFUSED"].includes(answer!))).toEqual([]);
    expect((await exited)[0]).toBe(0);
  },
);

test("the databases are for their user alone, also in a folder that was there, with what lies in it", async () => {
  const data = join(folder, "data");
  await mkdir(data);
  await chmod(data, 0o755);
  await writeFile(join(data, "accounts.sqlite"), "");
  await chmod(join(data, "accounts.sqlite"), 0o644);
  shop = await Shop.start({ DATA_DIR: data });
  await serves(shop);
  const modes = async () =>
    Promise.all(
      [data, ...(await readdir(data)).map(name => join(data, name))].map(async path => {
        const { mode } = await stat(path);
        return `${path} ${(mode & 0o777).toString(8)}`;
      }),
    );
  expect(await modes()).toContain(`${data} 700`);
  expect(
    (await modes()).filter(line => !/data(\/mail)? 700$|(sqlite(-\w+)?|operator-\d+\.sock) 600$/.test(line)),
  ).toEqual([]);
  await shop.child.end("SIGTERM");

  await writeFile(join(data, "of somebody else"), "");
  await chmod(data, 0o755);
  await shop.start();
  expect(shop.child.output).toContain(`warning: other users of this machine can look into ${data}:`);
}, 60_000);

test("the bundled provider is reached directly, whatever proxy the environment names", async () => {
  let asked = 0;
  const proxy = createServer((_request, response) => (asked++, response.writeHead(502).end()));
  proxy.on("connect", (_request, socket) => (asked++, socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n")));
  await once(proxy.listen(0, "127.0.0.1"), "listening");
  const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  shop = await Shop.start({ DATA_DIR: folder, NODE_USE_ENV_PROXY: "1", HTTP_PROXY: url, http_proxy: url });
  const token = await serves(shop);
  await until("the order is paid and shipped", async () => {
    const { body } = await shop!.request("GET", "/api/v1/orders", { token });
    return body.rows[0]?.status === "shipped";
  });
  proxy.close();
  expect(asked).toBe(0);
});
