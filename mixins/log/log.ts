// The log of a process: pino makes the lines, one output takes them, whichever broker or gateway they come from.
import { createRequire } from "node:module";
import { isatty } from "node:tty";
import { pino, type Logger } from "pino";
import type * as Pretty from "pino-pretty";
import type { Environment } from "../kernel/index.ts";
import { logEnvironment } from "./environment.ts";
import { lineOf, origin } from "./line.ts";
import { Output } from "./output.ts";

export const LEVELS = ["fatal", "error", "warn", "info", "debug", "trace"] as const;
export type Level = (typeof LEVELS)[number];

export interface ProcessLog {
  /** For the lines that code writes. */
  readonly lines: Logger;
  /** For the access log, which marks its lines instead of giving them a level; they may be late, and are lost in a crash. */
  readonly access: Logger;
  /** Lines that a slow reader has made us drop since the last one that was written. */
  dropped(): number;
  /** Writes what waits, for half a second at most. */
  flush(): void;
}

type Configured = Environment | { readonly options: object };

let open: ProcessLog | undefined;

/** The log to stdout. Opened once; the first environment tells its form. */
export function processLog(environment: Configured): ProcessLog {
  if (open) return open;
  // Node opens its own stream on a pipe, which makes it non-blocking: a full one answers EAGAIN. Without a listener that
  // stream would end the process when its reader is gone.
  process.stdout.on("error", () => {});
  const log = openLog(new Output({ fd: 1, format: isPretty(environment) ? prettily(isatty(1)) : undefined }));
  process.on("exit", () => log.flush());
  return (open = log);
}

/** A log to another output. For tests. */
export function openLog(output: Pick<Output, "write" | "collect" | "flush" | "dropped">): ProcessLog {
  const common = { base: null, timestamp: pino.stdTimeFunctions.isoTime } as const;
  const level = (label: string) => ({ level: label });
  return {
    lines: pino({ ...common, level: "trace", mixin: origin, formatters: { level }, serializers: AS_IT_IS }, output),
    access: pino(
      { ...common, formatters: { level: () => ({ log: "access" }) } },
      { write: line => output.collect(line) },
    ),
    dropped: () => output.dropped,
    flush: () => output.flush(),
  };
}

/** Pino's own takes the `type` of an error for the name of its class. */
const AS_IT_IS = { err: (shown: unknown): unknown => shown };

/** Logs at a level what a logger's method was given. `service`: whose line it is; else that of the call at hand. */
export function logTo(logger: Logger, level: Level, args: readonly unknown[], service?: string): void {
  const { fields, message } = lineOf(args);
  logger[level](service === undefined ? fields : { service, ...fields }, message);
}

function isPretty(environment: Configured): boolean {
  const { LOG_FORMAT, NODE_ENV } = logEnvironment.of(environment);
  return LOG_FORMAT === undefined ? NODE_ENV !== "production" : LOG_FORMAT === "pretty";
}

/** Makes a line of JSON into one for people. Its package is loaded only where they read the log: 30 ms of a start. */
export function prettily(colorize: boolean): (line: string) => string {
  const { prettyFactory } = createRequire(import.meta.url)("pino-pretty") as typeof Pretty;
  const shown = prettyFactory({
    colorize,
    translateTime: "UTC:yyyy-mm-dd'T'HH:MM:ss.l'Z'",
    ignore: "node,module,log,service",
    // A line of the access log has fields and no message.
    messageFormat: ({ node, module, log, ...line }, key) =>
      log === undefined
        ? `${String(node)}/${String(module)}: ${line[key] as string}`
        : `${String(node)}/${log as string}`,
    singleLine: true,
  });
  return line => shown(line) ?? line;
}
