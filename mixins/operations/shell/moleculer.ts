// Moleculer's own commands (moleculer-repl 0.8.0, src/commands), without its REPL: that one stops its broker when it ends. Two of
// them are changed:
//
//   1. `call` prints a failed call as a stack without the field: here as one line that names the field
//   2. `actions` lists the keywords of a JSON Schema as the params of an action: here the params
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { ServiceBroker } from "moleculer";
import { errorLine } from "../error-line.ts";
import { Needed, type Link } from "./link.ts";

type Handler = (broker: ServiceBroker, args: { readonly jsonParams?: unknown }) => Promise<void>;
interface Command {
  readonly handler: Handler;
  readonly declaration: (program: Program, broker: ServiceBroker, handler: Handler) => void;
  register(program: Program, broker: ServiceBroker): void;
}
/** The part of commander's program that we use. */
interface Program {
  readonly commands: readonly { name(): string; aliases(): string[] }[];
  exitOverride(): void;
  allowUnknownOption(allow: boolean): void;
  showHelpAfterError(show: boolean): void;
  parseAsync(words: readonly string[]): Promise<unknown>;
}
type Complete = (line: string, broker: unknown, program: Program) => [string[], string];

/** Ours, or none in a REPL that others use too: `quit` and `exit` are of the REPL, `nodes` is an operation. */
const LEFT_OUT = new Set(["index.js", "quit.js", "nodes.js"]);

const require = createRequire(import.meta.url);
const folder = join(dirname(require.resolve("moleculer-repl")), "src");
/** Packages that moleculer-repl brings along. */
const requireThere = createRequire(join(folder, "index.js"));

export class MoleculerCommands {
  readonly #program: Program;
  readonly #link: Link;

  constructor(link: Link) {
    const { Command } = requireThere("commander") as { Command: new () => Program };
    this.#link = link;
    this.#program = new Command();
    this.#program.exitOverride();
    this.#program.allowUnknownOption(true);
    this.#program.showHelpAfterError(true);
    for (const file of readdirSync(join(folder, "commands")).sort()) if (!LEFT_OUT.has(file)) this.#register(file);
  }

  #register(file: string): void {
    const command = require(join(folder, "commands", file)) as Command;
    const inPlainWords = { "call.js": inOneLine, "actions.js": withParams }[file];
    const broker = this.#link.broker as ServiceBroker;
    if (inPlainWords) command.declaration(this.#program, broker, inPlainWords(command.handler));
    else command.register(this.#program, broker);
  }

  /** Names of all commands, also of those that this link does not have. */
  get all(): string[] {
    return this.#program.commands.flatMap(command => [command.name(), ...command.aliases()]);
  }
  get names(): string[] {
    const { commands } = this.#link;
    return commands ? this.all.filter(name => commands.includes(name)) : this.all;
  }

  /** Runs a line. What goes wrong is printed. */
  async run(line: string): Promise<void> {
    const { parseArgsStringToArgv } = requireThere("string-argv") as {
      parseArgsStringToArgv: (line: string, ...before: string[]) => string[];
    };
    const words = parseArgsStringToArgv(line, "node", "repl");
    try {
      await withLists(() => this.#program.parseAsync(words));
    } catch (error) {
      // Commander has printed its own errors.
      if (!String((error as { code?: unknown }).code).startsWith("commander.")) console.error(`>> ${errorLine(error)}`);
    }
  }

  /** Continuations of a line that begins with one of these commands. */
  async complete(line: string): Promise<string[]> {
    const { autocompleteHandler } = require(join(folder, "autocomplete.js")) as { autocompleteHandler: Complete };
    const [found] = await withLists(async () => autocompleteHandler(line, this.#link.broker, this.#program));
    return found;
  }
}

/** Does it again whenever a list of the registry was missing. */
async function withLists<T>(work: () => Promise<T>): Promise<T> {
  for (;;)
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Needed)) throw error;
      await error.fetch();
    }
}

const inOneLine =
  (handler: Handler): Handler =>
  async (broker, args) => {
    const failed = Promise.withResolvers<void>();
    const say = (error: unknown): void => {
      console.error(`>> ${errorLine(error)}`);
      failed.resolve();
    };
    try {
      if (typeof args.jsonParams === "string") JSON.parse(args.jsonParams);
      const call = (...given: Parameters<ServiceBroker["call"]>) =>
        broker.call(...given).catch((error: unknown) => {
          say(error);
          // The REPL would print the error again at length: this promise never settles.
          return new Promise(() => {});
        });
      await Promise.race([handler(Object.create(broker, { call: { value: call } }), args), failed.promise]);
    } catch (error) {
      if (error instanceof Needed) throw error;
      // Params that are not JSON, typed or from a file.
      say(error);
    }
  };

const withParams =
  (handler: Handler): Handler =>
  (broker, args) => {
    const getActionList = (options: object) =>
      (broker.registry.getActionList(options) as Listed[]).map(listed => {
        const params = listed.action?.params;
        if (params?.type !== "object" || !params.properties) return listed;
        const named = Object.keys(params.properties).map(name => [
          params.required?.includes(name) ? name : `${name}?`,
          1,
        ]);
        return { ...listed, action: { ...listed.action, params: Object.fromEntries(named) } };
      });
    const registry = Object.create(broker.registry, { getActionList: { value: getActionList } });
    return handler(Object.create(broker, { registry: { value: registry } }), args);
  };

interface Listed {
  readonly action?: {
    readonly params?: { readonly type?: unknown; readonly properties?: object; readonly required?: readonly string[] };
  };
}
