import { inspect } from "node:util";
import { Misconfigured, withoutSecrets } from "../kernel/index.ts";

/** One line for what an operator, or a look at the database, can mend; the broker's log has the rest. */
export function reasonOf(error: unknown): string {
  const { message, type } = (error ?? {}) as { message?: unknown; type?: unknown };
  if (error instanceof Misconfigured || typeof type === "string") return withoutSecrets(String(message));
  const lines = inspect(error).split("\n");
  return lines.map(line => (/^\s+at /.test(line) ? line : withoutSecrets(line))).join("\n");
}
