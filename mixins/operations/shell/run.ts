// Does what a command asks for, and shows the answer.
import { setTimeout as sleep } from "node:timers/promises";
import { Misconfigured } from "../../kernel/index.ts";
import { errorLine } from "../error-line.ts";
import type { Following } from "../table/operation.ts";
import { readCommand, saidOf, TypingError, type Asked, type Command } from "./commands.ts";
import { helpOf } from "./help.ts";
import { shown, textOf } from "./show.ts";
import { barOf, type Terminal } from "./terminal.ts";

const limits = {
  /** Milliseconds between two questions after what goes on in the background, and for new events. */
  askAgainMs: 500,
};

/** The way to the running services. */
export type Call = (action: string, params: object) => Promise<unknown>;

/** Exit codes of `npx valence ops`. */
export const EXIT = {
  done: 0,
  /** Refused, failed, not reached, or the answer is bad news. */
  failed: 1,
  /** A mistake in what was typed; nothing was asked. */
  mistake: 2,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export interface Surroundings {
  readonly commands: readonly Command[];
  readonly call: Call;
  readonly terminal: Terminal;
  /** Ends what waits or goes on for ever; what was asked for goes on. */
  readonly signal: AbortSignal;
  /** Precedes examples in help: `npx valence ops `. */
  readonly prefix?: string;
}

/** Does what these words ask for. An error is one line; it never rejects. */
export async function runWords(words: readonly string[], surroundings: Surroundings): Promise<ExitCode> {
  const { commands, terminal, prefix } = surroundings;
  try {
    const asked = readCommand(commands, words);
    if (!asked.flags.help) return await perform(asked, surroundings);
    terminal.write(helpOf(asked.command, prefix));
    return EXIT.done;
  } catch (error) {
    terminal.busy();
    if (surroundings.signal.aborted) return EXIT.done;
    const isTyping = error instanceof TypingError;
    terminal.note(terminal.paint("red", isTyping || error instanceof Misconfigured ? error.message : errorLine(error)));
    return isTyping ? EXIT.mistake : EXIT.failed;
  }
}

async function perform(asked: Asked, surroundings: Surroundings): Promise<ExitCode> {
  const { command, params, flags } = asked;
  const { operation } = command;
  const said = saidOf(asked);
  const { call, terminal, signal } = surroundings;
  const { action, asks, follow, fails = () => false } = operation;
  if (asks !== undefined && !flags.yes && params["dryRun"] !== true && !(await isConfirmed(asks, said, terminal)))
    return EXIT.failed;
  if (operation.tails !== undefined) return tail(asked, operation.tails, surroundings);
  if (operation.lines !== undefined) return writeLines(asked, operation.lines, surroundings);
  terminal.busy(said);
  let answer = await call(action, params);
  if (follow && !flags["no-wait"]) {
    const last = await followed(follow, { params, begun: answer, said }, surroundings);
    if (follow.action === action) answer = last ?? answer;
    else if (!signal.aborted) terminal.note(terminal.paint("green", `${said}: done`));
  }
  terminal.busy();
  show(answer, asked, terminal);
  return fails(answer) ? EXIT.failed : EXIT.done;
}

function show(answer: unknown, { command, flags }: Asked, terminal: Terminal): void {
  terminal.write(flags.json ? JSON.stringify(answer, undefined, 2) : shown(answer, command.operation.view, terminal));
}

/** Throws TypingError where nobody can be asked. */
async function isConfirmed(asks: string, said: string, terminal: Terminal): Promise<boolean> {
  if (!terminal.confirm) throw new TypingError(`${said}: ${asks} Add --yes to do it`);
  if (await terminal.confirm(`${asks} Go on?`)) return true;
  terminal.note("Nothing was done.");
  return false;
}

interface Begun {
  readonly params: Readonly<Record<string, unknown>>;
  readonly begun: unknown;
  readonly said: string;
}

/** Asks until it is done, it cannot end by itself, or the operator has waited enough. Its last answer. */
async function followed(
  { action, params: paramsOf, progress }: Following,
  { params, begun, said }: Begun,
  { call, terminal, signal }: Surroundings,
): Promise<unknown> {
  while (!signal.aborted) {
    const answer = await call(action, paramsOf(params, begun));
    const now = progress(answer, params, begun);
    if (now.isDone) return answer;
    if (now.trouble !== undefined) throw new Misconfigured(`${said}: ${now.trouble}`);
    terminal.busy(barOf(said, now));
    await sleep(limits.askAgainMs, undefined, { signal }).catch(() => {});
  }
  terminal.note(`${said} goes on without us.`);
  return undefined;
}

/** Lines of text, page by page; and how far it is. */
async function writeLines(asked: Asked, name: string, { call, terminal, signal }: Surroundings): Promise<ExitCode> {
  const { command, params } = asked;
  let cursor = params["cursor"];
  let done = 0;
  terminal.busy(saidOf(asked));
  do {
    const page = (await call(command.operation.action, { ...params, ...(cursor !== undefined && { cursor }) })) as Page;
    for (const line of page[name] as readonly string[]) terminal.write(line);
    done += page.records;
    cursor = page.nextCursor;
    terminal.busy(barOf(saidOf(asked), { done, total: Math.max(done, page.of), isDone: cursor === undefined }));
  } while (cursor !== undefined && !signal.aborted);
  terminal.busy();
  // The lines that were written are not all of it.
  if (cursor !== undefined) terminal.note(`${saidOf(asked)} was ended after ${done} records.`);
  return cursor === undefined ? EXIT.done : EXIT.failed;
}

interface Page {
  readonly records: number;
  readonly of: number;
  readonly nextCursor?: string;
  readonly [field: string]: unknown;
}

/** Events as they come, a line each. */
async function tail(asked: Asked, name: string, { call, terminal, signal }: Surroundings): Promise<ExitCode> {
  const { command, params, flags } = asked;
  const { operation } = command;
  const { tables = {} } = operation.view as { tables?: Readonly<Record<string, readonly string[]>> };
  const columns = tables[name] ?? [];
  let cursor = params["cursor"];
  terminal.busy("waiting for events; Ctrl+C ends it");
  while (!signal.aborted) {
    const answer = (await call(operation.action, { ...params, ...(cursor !== undefined && { cursor }) })) as Record<
      string,
      unknown
    >;
    const rows = answer[name] as Readonly<Record<string, unknown>>[];
    for (const row of rows)
      terminal.write(
        flags.json
          ? JSON.stringify(row)
          : columns
              .map(name => textOf(row[name], name))
              .filter(Boolean)
              .join("  "),
      );
    cursor = answer["cursor"] ?? cursor;
    if (rows.length === 0) await sleep(limits.askAgainMs, undefined, { signal }).catch(() => {});
  }
  terminal.busy();
  return EXIT.done;
}
