// `npm start`: checks what would otherwise fail far from its cause, then hands over to the stock moleculer-runner, whose
// flags (--repl, --instances …) and environment names (SERVICES, SERVICEDIR, NODEID …) stay as they are.
// JavaScript, not TypeScript: on a Node that cannot strip types this file still has to be able to say so.
import module from "node:module";
import { once } from "node:events";
import { accessSync, constants, existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";

const NODE_MAJOR_MIN = 24;

function stop(message) {
  console.error(message);
  process.exit(1);
}

if (Number.parseInt(process.versions.node, 10) < NODE_MAJOR_MIN)
  stop(
    `Node ${process.versions.node} is too old, ${NODE_MAJOR_MIN} is needed: \`npm ci\` brings it, \`npm start\` uses it. ` +
      "(If npm was told to skip install scripts: npm rebuild node)",
  );

// A quarter of a second sooner at every start but the first.
module.enableCompileCache();

process.chdir(join(import.meta.dirname, ".."));
const folder = process.env.SERVICEDIR || "services";
const { EnvironmentError, readEnvironment } = await import("../mixins/kernel/index.ts");
const { isTornCopy, tornCopyMessage } = await import("../mixins/database/index.ts");
let environment;
try {
  takeWorkersFlag();
  const known = serviceFolders(folder);
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
} catch (error) {
  if (!(error instanceof EnvironmentError)) throw error;
  stop(error.message);
}

if (environment.workers > 1 && environment.worker === undefined) {
  const { supervise } = await import("./supervisor.ts");
  supervise(environment);
} else await run();

/** Hands over to the runner. */
async function run() {
  // The runner looks SERVICES up under SERVICEDIR, by default the working folder, where it would find nothing and start
  // an empty broker; and with SERVICEDIR alone it reads a path argument as one below it. So it gets one of the two.
  const paths = process.env.SERVICES ? [] : [folder];
  if (process.env.SERVICES) process.env.SERVICEDIR = folder;
  else delete process.env.SERVICEDIR;

  const flags = ["--config", "moleculer.config.ts", "--mask", "**/*.service.ts"];
  process.argv.splice(2, 0, ...flags, ...paths);
  await import("../node_modules/moleculer/bin/moleculer-runner.mjs");
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

/** Names of the folders that hold a service. */
function serviceFolders(root) {
  if (!existsSync(root)) throw new EnvironmentError("SERVICEDIR", root, "a folder of services");
  const files = readdirSync(root, { encoding: "utf8", recursive: true })
    .toSorted()
    .filter(file => file.endsWith(".service.ts"));
  return [...new Set(files.map(file => file.split(/[\\/]/)[0]))];
}

/** Every SQLite file of these services can be written, or made. */
function checkFiles({ databaseOf, databaseVariableOf }, services) {
  for (const service of services) {
    const { kind, filename } = databaseOf(service);
    if (kind !== "sqlite") continue;
    const file = resolve(filename);
    try {
      makeFolder(dirname(file));
      accessSync(existsSync(file) ? file : dirname(file), constants.W_OK);
      if (existsSync(file) && !statSync(file).isFile()) throw new Error("not a file");
    } catch (error) {
      const variable = databaseVariableOf(service);
      throw new EnvironmentError(variable, filename, `a file that can be written (${error.code ?? error.message})`);
    }
    if (isTornCopy(file)) stop(tornCopyMessage(filename));
  }
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
