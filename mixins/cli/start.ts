// `valence start`: checks what would otherwise fail far from its cause, then runs Moleculer's runner, whose flags
// (--instances, --hot …) and environment names (SERVICES, SERVICEDIR, NODEID …) keep their meaning.
import { once } from "node:events";
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, resolve } from "node:path";
import { locationOf, locationVariableOf, whyNotWhole } from "../database/index.ts";
import { gatewayEnvironment } from "../gateway/environment.ts";
import {
  closeToOthers,
  EnvironmentError,
  exposedOf,
  makePrivateFolder,
  Misconfigured,
  nodeEnvironment,
  type Environment,
} from "../kernel/index.ts";
import { redisEnvironment } from "../redis/environment.ts";
import type { Command } from "./command.ts";
import { startTracing } from "../tracing/index.ts";
import { readProject } from "./project.ts";

const HELP = `Starts the services of this project.

  npx valence start                all services in one process
  npx valence start --workers 4    four processes on one HTTP port
  SERVICES=accounts,api npx valence start
                                   some services; NATS_URL joins it to the other processes
  npx valence start --once         starts and stops again: to try the settings, or to fill the compile cache of an image

Options are those of Moleculer's runner, --repl, --config, --env, --instances, --hot, --silent among them; settings come from
the environment. A wrong setting stops the start with one line that names it.`;

const ONCE = "--once";

export const command: Command = { help: HELP, run: start };

async function start(given: string[]): Promise<void> {
  // A terminal that is closed signals all processes in it: each drains, workers too.
  process.on("SIGHUP", () => process.kill(process.pid, "SIGTERM"));
  bypassProxies();
  const args = withoutWorkersFlag(given);
  const { folder, services: known, environment } = await readProject();
  const { NATS_URL, SERVICES, WORKER, WORKERS } = nodeEnvironment.of(environment);
  if (WORKERS > 1 && args.includes("--repl"))
    throw new EnvironmentError("WORKERS", `${WORKERS}`, "1 with --repl: it speaks to one process");
  // The supervisor has checked this before it started a worker.
  if (WORKER === undefined) await checkPorts(environment, known);
  checkFiles(environment, SERVICES ?? known);
  if (WORKER === undefined && (NATS_URL ?? redisEnvironment.of(environment).REDIS_URL) !== undefined) {
    const { checkServers } = await import("./preflight.ts");
    await checkServers(environment);
  }
  if (WORKERS > 1 && WORKER === undefined) {
    const { supervise } = await import("./supervisor.ts");
    supervise(environment, ["start", ...args]);
  } else {
    await startTracing(environment);
    const { ProjectRunner } = await import("./runner.ts");
    const passed = args.filter(argument => argument !== ONCE);
    await new ProjectRunner(folder, SERVICES).start([process.execPath, "valence start", ...passed]);
    // As any other stop: what has begun is finished, and databases are closed.
    if (args.includes(ONCE)) process.kill(process.pid, "SIGTERM");
  }
}

async function checkPorts(environment: Environment, known: readonly string[]): Promise<void> {
  const { HEALTH_PORT, SERVICES = known } = nodeEnvironment.of(environment);
  if (SERVICES.includes("api")) await checkPort("PORT", gatewayEnvironment.of(environment).PORT);
  if (HEALTH_PORT !== undefined) await checkPort("HEALTH_PORT", HEALTH_PORT);
}

/** Servers on this machine are called directly, also when a proxy is set for all others. */
function bypassProxies(): void {
  const name = process.env["no_proxy"] === undefined ? "NO_PROXY" : "no_proxy";
  process.env[name] = [process.env[name], "localhost", "127.0.0.1", "::1"].filter(Boolean).join(",");
}

/** `--workers 4` is WORKERS=4; workers are started with the other arguments and do not see it. */
function withoutWorkersFlag(args: string[]): string[] {
  const at = args.findIndex(argument => /^--workers(=|$)/.test(argument));
  if (at === -1) return args;
  const [, inline] = args[at]!.split("=");
  const value = inline ?? args[at + 1] ?? "";
  // Set even when it is empty: then the message says so.
  process.env["WORKERS"] = value || "(nothing)";
  return args.toSpliced(at, inline === undefined ? 2 : 1);
}

/**
 * Checks that every SQLite file of these services can be written or made, and closes it to other users; where that
 * fails it warns.
 */
function checkFiles(environment: Environment, services: readonly string[]): void {
  const exposed = new Set<string>();
  for (const service of services) {
    const location = locationOf(environment, service);
    if (location.kind !== "sqlite") continue;
    const { filename } = location;
    const file = resolve(filename);
    try {
      makePrivateFolder(dirname(file));
      accessSync(existsSync(file) ? file : dirname(file), constants.W_OK);
      if (existsSync(file) && !statSync(file).isFile()) throw new Error("not a file");
      closeToOthers(file);
      for (const path of exposedOf(file)) exposed.add(path);
    } catch (error) {
      const variable = locationVariableOf(environment, service);
      const shown = variable === "DATA_DIR" ? filename : `sqlite:${filename}`;
      const { code, message } = error as NodeJS.ErrnoException;
      throw new EnvironmentError(variable, shown, `a file that can be written (${code ?? message})`);
    }
    const reason = whyNotWhole(file);
    if (reason !== undefined) throw new Misconfigured(reason);
  }
  if (nodeEnvironment.of(environment).WORKER !== undefined) return;
  for (const path of exposed) console.error(`warning: other users of this machine can look into ${path}: chmod go= it`);
}

/** Checked first: the gateway listens last, after every other service has started. */
async function checkPort(variable: string, port: number): Promise<void> {
  const server = createServer();
  try {
    await once(server.listen(port), "listening");
  } catch (error) {
    throw new EnvironmentError(variable, `${port}`, `a port to listen on (${(error as Error).message})`);
  }
  server.close();
  await once(server, "close");
}
