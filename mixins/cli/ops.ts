// `valence ops <command>`: an operation of the REPL without a prompt, for scripts.
import { Misconfigured, readEnvironment } from "../kernel/index.ts";
import { operationsEnvironment } from "../operations/environment.ts";
import { commandsOf, readCommand, TypingError } from "../operations/shell/commands.ts";
import { completionsOf } from "../operations/shell/completion.ts";
import { helpOf, listOf } from "../operations/shell/help.ts";
import { callByHttp } from "../operations/shell/http-link.ts";
import type { Link } from "../operations/shell/link.ts";
import { EXIT, runWords, type Call } from "../operations/shell/run.ts";
import { terminalOn } from "../operations/shell/terminal.ts";
import type { Command } from "./command.ts";
import { join, TABLE } from "./joining.ts";

const PREFIX = "npx valence ops ";
const COMMANDS = commandsOf(TABLE);

const HELP = `Looks at the running services, and acts on them. It joins them as npx valence repl does.

  npx valence ops <command> [options]

${listOf(COMMANDS)}

  npx valence ops <command> --help    its options, and examples
  npx valence ops complete <words>    what can come next, for the completion of a shell

  --json         the whole answer as JSON; an endless one as a line an event
  --read-only    asks for the rights to look, and for no others
  --url <url>    asks this gateway, in the name of OPERATOR_TOKEN (an access token or an API key); also OPERATOR_URL

It exits with 0 when it is done, with 1 when it was refused or failed, no service was reached, or the answer is bad news, and
with 2 for a mistake in what was typed: nothing was asked then.`;

export const command: Command = { help: args => helpFor(args), run: main };

function helpFor(args: readonly string[]): string {
  const { words } = ownOptions(args);
  if (words.every(word => word.startsWith("-"))) return HELP;
  try {
    return helpOf(readCommand(COMMANDS, [...words, "--help"]).command, PREFIX);
  } catch (error) {
    if (!(error instanceof TypingError)) throw error;
    return `${error.message}\n\n${HELP}`;
  }
}

async function main(args: string[]): Promise<void> {
  const { words, readOnly, url, mistake } = ownOptions(args);
  if (mistake !== undefined) {
    console.error(mistake);
    process.exitCode = EXIT.mistake;
    return;
  }
  if (words.length === 0) return console.log(HELP);
  if (words[0] === "complete") return console.log(completionsOf(COMMANDS, words.slice(1)).join("\n"));
  const terminal = terminalOn({ input: process.stdin, output: process.stdout, errors: process.stderr });
  const ending = new AbortController();
  process.once("SIGINT", () => ending.abort());
  let link: Link | undefined;
  /** Joins when there is something to ask: a mistake in what was typed needs no services. */
  const call: Call = async (action, params) => {
    const { OPERATOR_URL, OPERATOR_TOKEN } = operationsEnvironment.of(readEnvironment());
    const base = url ?? OPERATOR_URL;
    if (base !== undefined) return callByHttp(base, OPERATOR_TOKEN, TABLE)(action, params);
    link ??= await joined(readOnly);
    return link.call(action, params);
  };
  const surroundings = { commands: COMMANDS, call, terminal, signal: ending.signal, prefix: PREFIX };
  process.exitCode = await runWords(words, surroundings);
  await link?.close();
  // A node that waits for its bus would keep the process.
  process.exit();
}

async function joined(readOnly: boolean): Promise<Link> {
  const link = await join({ readOnly });
  if (!link)
    throw new Misconfigured(
      "no process with this DATA_DIR runs on this machine, and NATS_URL names no bus: start one with npx valence start",
    );
  return link;
}

interface OwnOptions {
  readonly words: string[];
  readonly readOnly: boolean;
  readonly url?: string;
  /** The faults in them. */
  readonly mistake?: string;
}

/** The options that are not of an operation, and the other words. */
function ownOptions(args: readonly string[]): OwnOptions {
  const words = args.filter(word => word !== "--read-only");
  const readOnly = words.length < args.length;
  const at = words.findIndex(word => /^--url(=|$)/.test(word));
  if (at < 0) return { words, readOnly };
  const [, inline] = /^--url=([^]*)$/.exec(words[at]!) ?? [];
  const url = inline ?? words[at + 1] ?? "";
  const others = { words: words.toSpliced(at, inline === undefined ? 2 : 1), readOnly };
  if (/^https?:$/.test(URL.parse(url)?.protocol ?? "")) return { ...others, url };
  return { ...others, mistake: `--url is the URL of a gateway, such as https://api.example.com, not "${url}"` };
}
