// Where a command writes: answers to the output, what helps a waiting person to the errors, and that only on a terminal.
import { createInterface } from "node:readline/promises";
import type { WriteStream } from "node:tty";
import { styleText } from "node:util";
import type { Progress } from "../table/operation.ts";

export type Style = "bold" | "dim" | "red" | "yellow" | "green";

export interface Terminal {
  /** Columns; undefined where the output is no terminal, so that lines are as long as they are. */
  readonly width: number | undefined;
  /** Text with a colour, on a terminal; NO_COLOR takes it away. */
  paint(style: Style, text: string): string;
  write(text: string): void;
  /** A line that does not belong to the answer. */
  note(text: string): void;
  /** Shows that something is under way, until it is called without text. */
  busy(text?: string): void;
  /** Whether a person says yes; undefined where there is none to ask. */
  confirm?(question: string): Promise<boolean>;
}

type Output = NodeJS.WritableStream & Partial<Pick<WriteStream, "isTTY" | "columns">>;

export interface Streams {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly output: Output;
  readonly errors: Output;
}

const FRAMES = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const limits = {
  /** Milliseconds between two pictures of a spinner, and before the first: most answers are there by then. */
  frameMs: 100,
  patienceMs: 300,
};

/** A terminal on these streams, or what is there in its place. */
export function terminalOn({ input, output, errors }: Streams): Terminal {
  let timer: NodeJS.Timeout | undefined;
  let text = "";
  const clear = (): void => {
    clearInterval(timer);
    if (timer) errors.write("\r\u001b[K");
    timer = undefined;
  };
  const spin = (): void => {
    const startedAt = performance.now();
    timer = setInterval(() => {
      const passedMs = performance.now() - startedAt;
      const frame = FRAMES[Math.floor(passedMs / limits.frameMs) % FRAMES.length]!;
      if (passedMs >= limits.patienceMs) errors.write(`\r${frame} ${text}\u001b[K`);
    }, limits.frameMs);
    timer.unref();
  };
  return {
    get width() {
      return output.isTTY ? output.columns : undefined;
    },
    paint: (style, painted) => styleText(style, painted, { stream: output }),
    write(line) {
      clear();
      output.write(`${line}\n`);
    },
    note(line) {
      clear();
      errors.write(`${line}\n`);
    },
    busy(what) {
      if (what === undefined || !errors.isTTY) return clear();
      text = what;
      if (!timer) spin();
    },
    ...(input.isTTY && {
      async confirm(question: string) {
        clear();
        const asking = createInterface({ input, output: errors });
        const answer = await asking.question(`${question} [y/N] `).finally(() => asking.close());
        return /^y(es)?$/i.test(answer.trim());
      },
    }),
  };
}

const BAR = 24;

/** `rebuild shelf  ██████░░░░░░  1200 of 2400`. */
export function barOf(what: string, { done, total }: Progress): string {
  if (total === 0) return `${what}  ${done}`;
  const filled = Math.min(BAR, Math.floor((done / total) * BAR));
  return `${what}  ${"█".repeat(filled)}${"░".repeat(BAR - filled)}  ${done} of ${total}`;
}
