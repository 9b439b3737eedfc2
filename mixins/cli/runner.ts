// Moleculer's runner with its flags and environment names, but with other handling of files and of a start that fails.
// What Moleculer's does (moleculer 0.15.2, src/runner-esm.mjs):
//
//   1. it looks for services by a glob, in which `[`, `{` or `(` in the name of a folder have a meaning
//   2. it imports files by path, in which `%`, `#` and `?` have a meaning
//   3. when it finds no service it warns, and starts an empty broker
//   4. it reports a start that fails by a stack
//   5. its REPL has Moleculer's commands alone
//   6. it looks for its own version beside a main module, which ES modules lack, and ends by a stack
import { flushCompileCache } from "node:module";
import { resolve } from "node:path";
import { Runner } from "moleculer";
import { databaseEnvironment } from "../database/index.ts";
import { EnvironmentError, readEnvironment } from "../kernel/index.ts";
import { brokerOptionsOf } from "./project.ts";
import { NodeDoctor } from "../operations/doctor/node.ts";
import { reasonOf } from "../operations/reason.ts";
import { schemaIn, servicesIn } from "../operations/services.ts";
import { operatorSocket } from "../operations/socket/server.ts";
import { version } from "../kernel/index.ts";

export class ProjectRunner extends Runner {
  readonly #folder: string;
  readonly #services: readonly string[] | undefined;

  /** `services`: names of services under `folder`; undefined for all. */
  constructor(folder: string, services: readonly string[] | undefined) {
    super();
    this.#folder = folder;
    this.#services = services;
  }

  override processFlags(args: string[]): void {
    if (args.slice(2).some(flag => /^(-v|(--)?version)$/.test(flag))) {
      console.log(version());
      process.exit(0);
    }
    super.processFlags(args);
    const [path] = (this as unknown as { servicePaths: string[] }).servicePaths;
    if (path === undefined) return;
    console.error(`${path}: not a flag; the services of a process are named by SERVICES`);
    process.exit(1);
  }

  // Moleculer's types declare that this method and the next return nothing, not even a promise.
  override async loadConfigFile(): Promise<any> {
    const options = await brokerOptionsOf(process.env["MOLECULER_CONFIG"] || this.flags?.config);
    const { DATA_DIR } = databaseEnvironment.of(readEnvironment());
    return { ...options, middlewares: [...(options.middlewares ?? []), operatorSocket(DATA_DIR)] };
  }

  // oxlint-disable-next-line typescript/no-misused-promises -- it is awaited
  override async loadServices(): Promise<any> {
    const broker = this.broker!;
    const found = servicesIn(this.#folder);
    const files = (this.#services ?? [...found.keys()]).flatMap(service => found.get(service) ?? []);
    const schemas = await Promise.all(files.map(file => schemaIn(resolve(file))));
    // Node writes the compile cache when a process ends by itself, not when it is killed. Now the code is there, and nobody
    // waits for an answer while some thousand files are written; once they are there, this takes 4 ms.
    flushCompileCache();
    for (const schema of schemas) broker.createService(schema);
    broker.createService(NodeDoctor(this.#folder));
    const absent = this.#services?.find(service => !broker.services.some(({ name }) => name === service));
    if (absent !== undefined) throw new EnvironmentError("SERVICES", absent, "a folder with a service of its name");
  }

  async _run(): Promise<void> {
    try {
      await Promise.resolve(this.loadEnvFile());
      this.mergeOptions(await this.loadConfigFile());
      const flags = this.flags as { repl?: boolean } | undefined;
      const wantsRepl = flags?.repl === true;
      // Moleculer's own REPL does not know our commands.
      if (flags) flags.repl = false;
      await this.startBroker();
      if (wantsRepl) void (await import("./repl.ts")).replOf(this.broker!);
    } catch (error) {
      console.error(reasonOf(error));
      process.exit(1);
    }
  }
}
