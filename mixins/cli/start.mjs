// `npm start`: checks what would otherwise fail far from its cause, then hands over to Moleculer's runner, whose flags
// (--repl, --instances …) and environment names (SERVICES, SERVICEDIR, NODEID …) stay as they are.
// JavaScript, not TypeScript: on a Node that cannot strip types this file still has to be able to say so.
import module from "node:module";
import { once } from "node:events";
import { accessSync, constants, existsSync, mkdirSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";

/** Before 24.18.1 Node drops header fields past a server's limit without a word, an Idempotency-Key among them. */
const NODE_MIN = "24.18.1";

function stop(message) {
  console.error(message);
  process.exit(1);
}

if (process.versions.node.localeCompare(NODE_MIN, "en", { numeric: true }) < 0)
  stop(
    `Node ${process.versions.node} is too old, ${NODE_MIN} is needed: \`npm ci\` brings it, \`npm start\` uses it. ` +
      "(Under NODE_ENV=production: npm ci --include=dev. If npm was told to skip install scripts: npm rebuild node)",
  );

// A quarter of a second sooner at every start but the first.
module.enableCompileCache();

process.chdir(join(import.meta.dirname, "../.."));
const folder = process.env.SERVICEDIR || "services";
const { outliveOutput } = await import("./output.ts");
outliveOutput();
// A terminal that is closed tells all processes in it: each drains, workers too.
process.on("SIGHUP", () => process.kill(process.pid, "SIGTERM"));
bypassProxies();

const { closeToOthers, EnvironmentError, exposedOf, Misconfigured, readEnvironment } =
  await import("../kernel/index.ts");
const { servicesIn } = await import("../operations/services.ts");
const { isTornCopy, tornCopyMessage } = await import("../database/index.ts");
let environment;
try {
  takeWorkersFlag();
  const known = serviceNamesIn(folder);
  environment = readEnvironment(process.env, known);
  const services = environment.services ?? known;
  // Workers get theirs from the supervisor, who has asked before.
  if (environment.worker === undefined) {
    if (services.includes("api")) await checkPort("PORT", environment.port);
    if (environment.healthPort !== undefined) await checkPort("HEALTH_PORT", environment.healthPort);
  }
  if (environment.workers > 1 && process.argv.includes("--repl"))
    throw new EnvironmentError("WORKERS", `${environment.workers}`, "1 with --repl: it speaks to one process");
  checkFiles(environment, services);
  if (environment.worker === undefined && (environment.natsUrl ?? environment.redisUrl) !== undefined) {
    const { checkServers } = await import("./preflight.ts");
    await checkServers(environment);
  }
} catch (error) {
  if (!(error instanceof Misconfigured)) throw error;
  stop(error.message);
}

if (environment.workers > 1 && environment.worker === undefined) {
  const { supervise } = await import("./supervisor.ts");
  supervise(environment);
} else await run();

/** Hands over to the runner. */
async function run() {
  const { ShopRunner } = await import("./runner.ts");
  await new ShopRunner(folder, environment.services).start(process.argv);
}

/** What listens on this machine, such as the bundled payment provider, is not reached by way of another. */
function bypassProxies() {
  const name = process.env.no_proxy === undefined ? "NO_PROXY" : "no_proxy";
  process.env[name] = [process.env[name], "localhost", "127.0.0.1", "::1"].filter(Boolean).join(",");
}

/** `--workers 4` is WORKERS=4; the workers, which are started with the same arguments, do not see it. */
function takeWorkersFlag() {
  const at = process.argv.findIndex(argument => /^--workers(=|$)/.test(argument));
  if (at === -1) return;
  const [, inline] = process.argv[at].split("=");
  const value = inline ?? process.argv[at + 1] ?? "";
  process.argv.splice(at, inline === undefined ? 2 : 1);
  // Also when it is empty: then the message says so.
  process.env.WORKERS = value || "(nothing)";
}

/** Names of the services under `root`. */
function serviceNamesIn(root) {
  const expected = "a folder of services: <service>/<service>.service.ts";
  if (!existsSync(root) || !statSync(root).isDirectory()) throw new EnvironmentError("SERVICEDIR", root, expected);
  const names = [...servicesIn(root).keys()];
  if (names.length === 0) throw new EnvironmentError("SERVICEDIR", root, expected);
  return names;
}

/** Every SQLite file of these services can be written, or made, and by this user alone: what cannot be mended is said. */
function checkFiles({ databaseOf, databaseVariableOf }, services) {
  const exposed = new Set();
  for (const service of services) {
    const { kind, filename } = databaseOf(service);
    if (kind !== "sqlite") continue;
    const file = resolve(filename);
    try {
      makeFolder(dirname(file));
      accessSync(existsSync(file) ? file : dirname(file), constants.W_OK);
      if (existsSync(file) && !statSync(file).isFile()) throw new Error("not a file");
      closeToOthers(file);
      for (const path of exposedOf(file)) exposed.add(path);
    } catch (error) {
      const variable = databaseVariableOf(service);
      const shown = variable === "DATA_DIR" ? filename : `sqlite:${filename}`;
      throw new EnvironmentError(variable, shown, `a file that can be written (${error.code ?? error.message})`);
    }
    if (isTornCopy(file)) stop(tornCopyMessage(filename));
  }
  if (environment.worker !== undefined) return;
  for (const path of exposed) console.error(`warning: other users of this machine can look into ${path}: chmod go= it`);
}

/** Folder by folder: where the system makes none (`/proc`), Node's recursive way tries for ever (v24.21.0). */
function makeFolder(path) {
  if (existsSync(path)) {
    if (!statSync(path).isDirectory()) throw Object.assign(new Error(path), { code: "ENOTDIR" });
    return;
  }
  makeFolder(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Another process that starts with us was first.
    if (error.code !== "EEXIST") throw error;
  }
}

/** The gateway would find out last of all, with every service started for nothing. */
async function checkPort(variable, port) {
  const server = createServer();
  try {
    await once(server.listen(port), "listening");
  } catch (error) {
    throw new EnvironmentError(variable, `${port}`, `a port to listen on (${error.message})`);
  }
  server.close();
  await once(server, "close");
}
