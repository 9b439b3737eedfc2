// The project that a command works on: the folder of the nearest moleculer.config file, from the working folder upwards.
import { existsSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ServiceBroker, type BrokerOptions } from "moleculer";
import { EnvironmentError, Misconfigured, readEnvironment, type Declared, type Environment } from "../kernel/index.ts";
import { schemaIn, serviceFiles, servicesIn } from "../operations/services.ts";
import { declaredIn } from "./declared.ts";

const CONFIGS = ["moleculer.config.ts", "moleculer.config.js", "moleculer.config.mjs"];

export interface Project {
  /** Folder of the services, `SERVICEDIR`; relative to the project's. */
  readonly folder: string;
  /** Names of all services in it. */
  readonly services: readonly string[];
  /** The variables and failpoints of the runtime and of these services. */
  readonly declared: Declared;
  /** Checked against all that is declared. */
  readonly environment: Environment;
}

/** Makes the project's folder the working one, from which every path in the environment counts. Throws Misconfigured. */
export function enterProject(): void {
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    if (CONFIGS.some(name => existsSync(join(folder, name)))) return process.chdir(folder);
    if (folder === dirname(folder)) break;
  }
  throw new Misconfigured(
    `there is no ${CONFIGS[0]} in ${process.cwd()} or above: change to your project's folder, or make a project with ` +
      "npx valence new app FOLDER",
  );
}

/** Enters the project, and checks the environment against all that it declares. Throws Misconfigured. */
export async function readProject(): Promise<Project> {
  enterProject();
  const { folder, services } = serviceFolder();
  const declared = await declaredIn(folder, services);
  return { folder, services, declared, environment: readEnvironment(process.env, declared) };
}

/** `SERVICEDIR`, and the services that lie in it; at least one. Throws EnvironmentError. */
export function serviceFolder(): Pick<Project, "folder" | "services"> {
  const folder = process.env["SERVICEDIR"] || "services";
  const expected = "a folder of services: <service>/<service>.service.ts";
  if (!existsSync(folder) || !statSync(folder).isDirectory())
    throw new EnvironmentError("SERVICEDIR", folder, expected);
  const services = [...servicesIn(folder).keys()];
  if (services.length === 0) throw new EnvironmentError("SERVICEDIR", folder, expected);
  return { folder, services };
}

/** The broker's options: `path` or `MOLECULER_CONFIG`, else the project's moleculer.config file. */
export async function brokerOptionsOf(path = process.env["MOLECULER_CONFIG"]): Promise<BrokerOptions> {
  const file = path || CONFIGS.find(name => existsSync(name)) || CONFIGS[0]!;
  const { default: options } = (await import(pathToFileURL(resolve(file)).href)) as { default: unknown };
  return (typeof options === "function" ? await options() : options) as BrokerOptions;
}

/**
 * A broker with these services of a project, for what can be asked of services that do not run: it is no node of the
 * cluster, and is never started.
 */
export async function brokerAlone(folder: string, services: readonly string[]): Promise<ServiceBroker> {
  // A signal has nothing to stop.
  const alone = { transporter: null, logLevel: "fatal", skipProcessEventRegistration: true } as const;
  const broker = new ServiceBroker({ ...(await brokerOptionsOf()), ...alone });
  for (const file of services.flatMap(service => serviceFiles(folder, service)))
    broker.createService(await schemaIn(file));
  return broker;
}
