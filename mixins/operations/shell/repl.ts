// The REPL: operations by their commands, and Moleculer's own. It ends with the services that it speaks to, and when it ends they go
// on, unless it has started them.
import { homedir } from "node:os";
import { join } from "node:path";
import { start, type REPLServer } from "node:repl";
import { nearestName } from "../../kernel/index.ts";
import type { Operation } from "../table/operation.ts";
import { commandsOf, firstWords, type Command } from "./commands.ts";
import { completionsOf, type Names } from "./completion.ts";
import { listOf } from "./help.ts";
import type { Link } from "./link.ts";
import { MoleculerCommands } from "./moleculer.ts";
import { runWords } from "./run.ts";
import { terminalOn, type Streams, type Terminal } from "./terminal.ts";
import { wordsOf } from "./words.ts";

const PROMPT = "mol $ ";
const HISTORY = ".valence_repl_history";
const ENDS = ["quit", "exit", "q"];

/** Resolves when the operator, or the other side, has ended it; the link is closed then. */
export async function runRepl(link: Link, table: readonly Operation[], streams: Streams): Promise<void> {
  const repl = new Repl(link, commandsOf(table), streams);
  await repl.ended;
  await link.close();
}

class Repl {
  readonly ended: Promise<void>;
  readonly #link: Link;
  readonly #commands: readonly Command[];
  readonly #moleculer: MoleculerCommands;
  readonly #server: REPLServer;
  readonly #terminal: Terminal;
  /** The line that is at work, and those before it: lines that are pasted or piped are done one after another. */
  #last: Promise<void> = Promise.resolve();
  #running = new AbortController();
  #names: Names = {};

  constructor(link: Link, commands: readonly Command[], streams: Streams) {
    this.#link = link;
    this.#commands = commands;
    this.#moleculer = new MoleculerCommands(link);
    const terminal = terminalOn(streams);
    this.#terminal = { ...terminal, ...(terminal.confirm && { confirm: question => this.#confirm(question) }) };
    // A copy has the width of now.
    Object.defineProperty(this.#terminal, "width", { get: () => terminal.width });
    terminal.write(`${link.about}; help lists the commands, quit ends`);
    this.#server = start({
      prompt: PROMPT,
      input: streams.input,
      output: streams.output,
      ignoreUndefined: true,
      completer: (line: string, done: (error: null, found: [string[], string]) => void) =>
        void this.#complete(line).then(found => done(null, found)),
      eval: (line, _context, _file, done) => {
        this.#last = this.#last.then(() => this.#say(line.trim())).then(() => done(null, undefined));
      },
    });
    if (streams.input.isTTY) this.#server.setupHistory(join(homedir(), HISTORY), () => {});
    this.#server.on("SIGINT", () => this.#running.abort());
    const exit = new Promise<void>(resolve => this.#server.once("exit", resolve));
    // A line that is at work is finished, as the next one would have been.
    this.ended = exit.then(() => this.#last);
    void link.ended.then(reason => {
      terminal.note(`\n${reason}: this REPL ends`);
      this.#running.abort();
      this.#server.close();
    });
    this.#learnNames();
  }

  #learnNames(): void {
    this.#link.names().then(
      names => (this.#names = names),
      () => {},
    );
  }

  #confirm(question: string): Promise<boolean> {
    this.#terminal.busy();
    return new Promise(resolve =>
      this.#server.question(`${question} [y/N] `, answer => resolve(/^y(es)?$/i.test(answer.trim()))),
    );
  }

  async #say(line: string): Promise<void> {
    const words = wordsOf(line);
    const [first, second] = words;
    if (first === undefined) return;
    this.#running = new AbortController();
    if (ENDS.includes(first)) return this.#server.close();
    if (first === "help")
      return second === undefined ? this.#help() : this.#say(`${line.slice(first.length).trim()} --help`);
    if (firstWords(this.#commands).includes(first)) {
      await runWords(words, {
        commands: this.#commands,
        call: (action, params) => this.#link.call(action, params),
        terminal: this.#terminal,
        signal: this.#running.signal,
      });
      return this.#learnNames();
    }
    if (this.#moleculer.names.includes(first)) return this.#moleculer.run(line);
    this.#terminal.note(this.#unknown(first));
  }

  #unknown(first: string): string {
    if (this.#moleculer.all.includes(first))
      return `${first} looks at the process that it runs in: it is there in a REPL that has started the services`;
    const near = nearestName(first, this.#firstWords());
    return `there is no command "${first}"${near === undefined ? "; help lists them" : `; did you mean ${near}?`}`;
  }

  #firstWords(): string[] {
    return [...new Set([...firstWords(this.#commands), ...this.#moleculer.names, "help", ...ENDS])];
  }

  #help(): void {
    this.#terminal.write(
      `${listOf(this.#commands)}\n\nMoleculer's own: ${this.#moleculer.names.join(", ")}\n\n` +
        "<command> --help has its options and examples; quit ends the REPL",
    );
  }

  async #complete(line: string): Promise<[string[], string]> {
    const words = wordsOf(line);
    if (words.length === 0 || /\s$/.test(line)) words.push("");
    const last = words.at(-1)!;
    const [first = ""] = words;
    if (words.length === 1) return [this.#firstWords().filter(word => word.startsWith(first)), last];
    if (firstWords(this.#commands).includes(first)) return [completionsOf(this.#commands, words, this.#names), last];
    if (!this.#moleculer.names.includes(first)) return [[], last];
    const found = await this.#moleculer.complete(line).catch((): string[] => []);
    // Moleculer's continuations are of the whole line.
    return [found.map(one => one.split(" ").at(-1)!).filter(one => one.startsWith(last)), last];
  }
}
