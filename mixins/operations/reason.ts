// An error as one line for a terminal.
import { inspect } from "node:util";
import { Misconfigured, withoutSecrets } from "../kernel/index.ts";

/** The message of an error that an operator can act on, with its stack if the error is not ours. Without secrets. */
export function reasonOf(error: unknown): string {
  const { message, type } = (error ?? {}) as { message?: unknown; type?: unknown };
  if (error instanceof Misconfigured || typeof type === "string") return withoutSecrets(String(message));
  const lines = inspect(error).split("\n");
  return lines.map(line => (/^\s+at /.test(line) ? line : withoutSecrets(line))).join("\n");
}
