// @slow: it installs a project from the registry.
// A team that has never seen the shop: it packs the runtime, makes a project outside of the repository, installs it, uses it,
// tests it, and adds services of each kind; and it replaces the shop in a copy of the repository. ADOPT=all takes every package
// from the registry, and runs the tests of every kind.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "yaml";
import { until } from "@valence/runtime/testing";
import { freePort, Nats } from "@valence/runtime/testing/servers";

const ROOT = join(import.meta.dirname, "../..");
const VALENCE = join(ROOT, "mixins/cli/valence.mjs");
/** Milliseconds of one command: an installation on a loaded machine takes minutes. */
const COMMAND_MS = 300_000;
/** Milliseconds of a test of several commands. */
const TEST_MS = 2 * COMMAND_MS;
const IS_WHOLE = process.env["ADOPT"] === "all";

let folder: string;
let hotel: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "adopt-"));
  hotel = join(folder, "hotel");
  run(process.execPath, [VALENCE, "new", "app", hotel], folder);
  if (!IS_WHOLE) lendPackages();
  // What npm has fetched before need not be asked for again; what it lacks it fetches.
  run("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline"], hotel);
}, TEST_MS);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/**
 * Lends the project the repository's packages: npm removes those that nothing in it asks for, and adds only what is missing.
 * Unpacking all of them takes 26 CPU seconds. The list of what lies there would tell npm of the repository's own workspace.
 */
function lendPackages(): void {
  const [from, to] = [join(ROOT, "node_modules"), join(hotel, "node_modules")];
  // npm replaces files, and writes into none: links do, where they can be made.
  const { status } = spawnSync("cp", ["-al", from, to]);
  if (status !== 0) cpSync(from, to, { recursive: true, verbatimSymlinks: true });
  for (const name of ["@valence", ".package-lock.json", ".cache"])
    rmSync(join(to, name), { recursive: true, force: true });
}

/** Runs a command to its end; throws with its output if it fails. The project's own Node comes first. */
function run(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    env: environmentIn(cwd),
    encoding: "utf8",
    timeout: COMMAND_MS,
  });
  if (status !== 0)
    throw new Error(`${command} ${args.join(" ")} in ${cwd}: ${error?.message ?? status}\n${stdout}${stderr}`);
  return stdout + stderr;
}
/** Variables by which npm reaches its registry; the others that `npm test` sets would lead it back to this repository. */
const REACHES_REGISTRY =
  /^(HOME|NODE_EXTRA_CA_CERTS|SSL_CERT_\w+|(https?|no)_proxy|npm_config_(registry|userconfig|globalconfig|cache|cafile|\w*proxy))$/i;
const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => REACHES_REGISTRY.test(name)));
const environmentIn = (cwd: string, more: Record<string, string> = {}): NodeJS.ProcessEnv => ({
  ...inherited,
  PATH: `${join(cwd, "node_modules/.bin")}:${process.env["PATH"]}`,
  NODE_OPTIONS: "--disable-warning=ExperimentalWarning",
  ...more,
});
const valence = (cwd: string, ...args: string[]): string => run("valence", args, cwd);

/** A node of a project, by the command that it has there; its HTTP port answers from `ready` on. */
async function started(
  cwd: string,
  dataDir: string,
  command: readonly [string, ...string[]] = [join(cwd, "node_modules/.bin/valence")],
  more: Record<string, string> = {},
  healthPort?: number,
): Promise<{ url: string; stop: () => Promise<void> }> {
  const port = await freePort();
  const env = environmentIn(cwd, { PORT: `${port}`, DATA_DIR: dataDir, LOGLEVEL: "warn", ...more });
  const [file, ...args] = command;
  const node: ChildProcess = spawn(file, [...args, "start"], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [node.stdout!, node.stderr!]) stream.on("data", chunk => (output += String(chunk)));
  const url = `http://127.0.0.1:${port}`;
  const stop = async (): Promise<void> => {
    const exit = once(node, "exit");
    node.kill("SIGTERM");
    expect([(await exit)[0], output]).toEqual([0, output]);
  };
  for (const end = Date.now() + 90_000; ; await sleep(100)) {
    if (node.exitCode !== null || Date.now() > end) throw new Error(`it did not start:\n${output}`);
    if ((await fetch(`http://127.0.0.1:${healthPort ?? port}/health/ready`).catch(() => undefined))?.status === 200)
      return { url, stop };
  }
}

/** Registers, logs in, opens a thing by HTTP, and sees what the saga has made of it in the list that the projection answers. */
async function use(url: string, plural: string): Promise<void> {
  const ask = async (method: string, path: string, body?: unknown, token?: string): Promise<any> => {
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: {
        ...(body !== undefined && { "Content-Type": "application/json" }),
        ...(token && { Authorization: `Bearer ${token}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    expect([method, path, response.ok]).toEqual([method, path, true]);
    return response.json();
  };
  const account = { email: "ada@example.org", password: "correct horse battery" };
  await ask("POST", "/auth/register", { ...account, name: "Ada" });
  const { accessToken: token } = await ask("POST", "/auth/login", account);
  const { id: fine } = await ask("POST", `/${plural}`, { title: "the first" }, token);
  const { id: bad } = await ask("POST", `/${plural}`, { title: "a forbidden one" }, token);
  await until("the saga has ended for both", async () => {
    const { rows } = await ask("GET", `/${plural}`, undefined, token);
    const statuses = Object.fromEntries(rows.map((row: any) => [row.id, row.status]));
    return statuses[fine] === "approved" && statuses[bad] === "declined";
  });
  expect(await ask("GET", `/${plural}/${fine}`, undefined, token)).toMatchObject({ status: "approved" });
}

test(
  "a new app outside of the repository starts from the packed runtime, and its route, saga and read model work",
  async () => {
    expect(readFileSync(join(hotel, "package.json"), "utf8")).toContain("file:vendor/valence-runtime-");
    const { resources } = parse(readFileSync(join(hotel, "k8s/kustomization.yaml"), "utf8")) as { resources: string[] };
    expect(readdirSync(join(hotel, "k8s")).filter(name => resources.includes(name))).toHaveLength(resources.length);
    const node = await started(hotel, join(folder, "data"));
    await use(node.url, "proposals");
    await node.stop();
  },
  COMMAND_MS,
);

test("new app writes into no folder that holds something", () => {
  const { status, stderr } = spawnSync(process.execPath, [VALENCE, "new", "app", hotel], { encoding: "utf8" });
  expect([status, stderr]).toEqual([1, expect.stringContaining("is not empty")]);
});

test(
  "a service of each kind compiles, lints and is formatted; services with all that there is pass their own tests, on SQLite and on Postgres",
  () => {
    // Each flag alone has to compile; at work it is the same in the service that has all of them, which is tested.
    const tested = ["bookings", "rooms", "order-items", "staff"];
    const kinds: Record<string, string[]> = {
      bookings: [],
      stays: ["--saga"],
      nights: ["--projection", "--route"],
      notices: ["--reactor"],
      rooms: ["--crud", "--route"],
      "order-items": ["--actor", "--saga", "--projection", "--reactor", "--route"],
      staff: ["--crud", "--singular", "employee"],
    };
    for (const [name, flags] of Object.entries(kinds)) {
      const said = valence(hotel, "new", "service", name, ...flags);
      expect(said).toContain(`wrote services/${name}/contract.ts`);
      expect(said).toContain("Next:");
    }
    const routes = readFileSync(join(hotel, "services/api/routes/index.ts"), "utf8");
    for (const name of ["proposals", "nights", "rooms", "orderItems"]) expect(routes).toContain(`...${name}`);
    run("npm", ["run", "--silent", "types"], hotel);
    run("npm", ["run", "--silent", "lint"], hotel);
    run("npm", ["run", "--silent", "format:check"], hotel);
    const said = run("npm", ["test", ...(IS_WHOLE ? [] : ["--", ...tested.map(name => `services/${name}/`)])], hotel);
    expect(said).not.toContain("FAILED TWICE");
    for (const name of IS_WHOLE ? Object.keys(kinds) : tested) {
      expect(said).toMatch(new RegExp(`PASS int services/${name}/`));
      expect(said).toMatch(new RegExp(`PASS postgres services/${name}/`));
    }
  },
  COMMAND_MS,
);

test("a second service of a name is refused, and nothing is written", () => {
  const before = readdirSync(join(hotel, "services/rooms"));
  expect(() => valence(hotel, "new", "service", "rooms", "--crud")).toThrow("is there already");
  expect(readdirSync(join(hotel, "services/rooms"))).toEqual(before);
  expect(() => valence(hotel, "new", "service", "Rooms")).toThrow("a name has small letters");
  expect(() => valence(hotel, "new", "service", "halls", "--crud", "--saga")).toThrow("--crud stands alone");
  const dryRun = ["--no-install", "valence", "new", "service", "halls", "--dry-run"];
  expect(run("npx", dryRun, hotel)).toContain("services/halls/hall.ts");
  expect(readdirSync(join(hotel, "services"))).not.toContain("halls");
});

test(
  "all of them start together",
  async () => {
    const node = await started(hotel, join(folder, "more"));
    await use(node.url, "order-items");
    await node.stop();
  },
  COMMAND_MS,
);

/** Gives the client the names of the project's routes, and of no others. */
function nameRoutes(house: string): void {
  const print =
    'import("./services/api/routes/index.ts").then(({ routes }) => console.log(JSON.stringify(routes.map(({ method, url }) => `${method} ${url.replace("/api/v1", "")}`))))';
  const lines = JSON.parse(run(process.execPath, ["--eval", print], house)) as string[];
  const path = join(house, "client/table.ts");
  const named = new Set<string>();
  const isKept = (text: string): boolean => {
    const line = /^    \w+: "([^"]+)",$/.exec(text)?.[1];
    if (line === undefined || !lines.includes(line)) return line === undefined;
    return Boolean(named.add(line));
  };
  const kept = readFileSync(path, "utf8").split("\n").filter(isKept).join("\n");
  const own = lines.filter(line => !named.has(line)).map((line, i) => `    own${i}: "${line}",`);
  writeFileSync(path, kept.replace("\n} as const", `\n  own: {\n${own.join("\n")}\n  },\n} as const`));
}

test(
  "the repository with another domain in place of the shop: it starts, and lint, types and the laws of the house hold",
  async () => {
    const house = join(folder, "house");
    const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], { cwd: ROOT, encoding: "utf8" }).split(
      "\n",
    );
    // As docs/replace-the-domain.md says.
    const isShop = (file: string): boolean =>
      /^(services|web|test\/shop|benchmarks\/shop)\/|^client\/(client\.http\.test|negative)\.ts$/.test(file);
    for (const file of files.filter(file => file !== "" && !isShop(file))) {
      mkdirSync(dirname(join(house, file)), { recursive: true });
      cpSync(join(ROOT, file), join(house, file), { force: true });
    }
    mkdirSync(join(house, "node_modules/@valence"), { recursive: true });
    for (const name of readdirSync(join(ROOT, "node_modules")).filter(name => name !== "@valence"))
      symlinkSync(join(ROOT, "node_modules", name), join(house, "node_modules", name));
    symlinkSync("../../mixins", join(house, "node_modules/@valence/runtime"));
    // Packages of which the runtime needs another version than the root has.
    symlinkSync(join(ROOT, "mixins/node_modules"), join(house, "mixins/node_modules"));
    for (const file of globSync("services/**/*", { cwd: hotel, withFileTypes: true }).filter(entry => entry.isFile())) {
      const from = join(file.parentPath, file.name);
      const to = join(house, from.slice(hotel.length + 1));
      mkdirSync(dirname(to), { recursive: true });
      writeFileSync(to, readFileSync(from));
    }
    nameRoutes(house);
    // The services, and what they see. The rest is as it was: .ci/run looks at it, and the laws keep it from seeing a shop.
    run("npm", ["run", "--silent", "lint", "--", "services"], house);
    for (const project of [".", ...(IS_WHOLE ? ["tsconfig.rest.json"] : [])])
      run("tsc", ["--noEmit", "-p", project], house);
    // The commands of its own copy of the runtime: npm has linked the original's in node_modules/.bin.
    const own = [process.execPath, "mixins/cli/valence.mjs"] as const;
    for (const command of ["docs", "freeze"]) run(own[0], [own[1], command], house);
    const rules = ["tidy", "errors", "configuration", "golden"].map(name => `test/${name}`);
    run("npm", ["run", "--silent", "test:unit", "--", ...rules], house);
    const node = await started(house, join(folder, "house-data"), own);
    await use(node.url, "proposals");
    await node.stop();
  },
  COMMAND_MS,
);

test(
  "a service leaves the repository (docs/teams.md): from a folder of its own, over NATS, it ships what the others sell",
  async () => {
    const [rest, team] = ["rest", "team"].map(name => join(folder, name)) as [string, string];
    const isLeaving = (path: string): boolean => path.startsWith("services/shipping/");
    // What its contract imports goes with it.
    const isShared = (path: string): boolean => ["services/address.ts", "services/countries.ts"].includes(path);
    for (const file of execFileSync("git", ["ls-files", "-co", "--exclude-standard", "services"], {
      cwd: ROOT,
      encoding: "utf8",
    }).split("\n")) {
      if (file === "" || file.endsWith(".test.ts")) continue;
      for (const to of [...(isLeaving(file) ? [] : [rest]), ...(isLeaving(file) || isShared(file) ? [team] : [])]) {
        mkdirSync(dirname(join(to, file)), { recursive: true });
        cpSync(join(ROOT, file), join(to, file));
      }
    }
    for (const repository of [rest, team]) {
      writeFileSync(join(repository, "package.json"), '{ "type": "module" }');
      cpSync(join(ROOT, "moleculer.config.ts"), join(repository, "moleculer.config.ts"));
      symlinkSync(join(hotel, "node_modules"), join(repository, "node_modules"));
    }
    // What is left of the shop has the contract from its package.
    const contract = join(hotel, "node_modules/@acme/shipping-contract");
    run(process.execPath, [join(ROOT, "deploy/contract-package.ts"), "shipping", contract], ROOT);
    const imported = 'console.log((await import("@acme/shipping-contract")).contract.service)';
    expect(run(process.execPath, ["--input-type=module", "-e", imported], rest)).toBe("shipping\n");
    const nats = await Nats.start();
    try {
      const command: [string] = [join(hotel, "node_modules/.bin/valence")];
      const env = { NATS_URL: nats.url, WEB: "off" };
      const health = await freePort();
      const [shop, shipping] = await Promise.all([
        started(rest, join(folder, "rest-data"), command, env),
        started(team, join(folder, "team-data"), command, { ...env, HEALTH_PORT: `${health}` }, health),
      ]);
      await buy(shop.url);
      await shipping.stop();
      await shop.stop();
    } finally {
      await nats.stop();
    }
  },
  COMMAND_MS,
);

/** Orders the cheapest thing, and waits until it is on its way. */
async function buy(url: string): Promise<void> {
  const ask = async (path: string, token?: string, body?: object): Promise<any> => {
    const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
    const init = body ? { method: "POST", body: JSON.stringify(body) } : {};
    return (await fetch(`${url}/api/v1${path}`, { ...init, headers })).json();
  };
  const account = { email: "ada@example.org", password: "correct horse battery" };
  await ask("/auth/register", undefined, { ...account, name: "Ada" });
  const { accessToken } = await ask("/auth/login", undefined, account);
  const { rows } = await ask("/products?sort=price&pageSize=1");
  const { id } = await ask("/orders", accessToken, {
    lines: [{ productId: rows[0].id, quantity: 1 }],
    shippingAddress: { name: "Ada", line1: "1 Main St", city: "London", postalCode: "N1 9GU", country: "GB" },
    payment: { method: "card", token: "tok_ok" },
  });
  await until("the order ships", async () => (await ask(`/orders/${id}`, accessToken)).status === "shipped", 60_000);
}
