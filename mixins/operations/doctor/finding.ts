// The result of a check: one line.
import { withoutSecrets, type DependencyState } from "../../kernel/index.ts";
import type { CheckName, FailingCheck } from "./checks.ts";

/**
 * `warn`: look at it before it grows. `FAIL`: acknowledged records are at risk, or something stands still until a
 * person acts.
 */
export type Status = "ok" | "warn" | "FAIL";

export interface Finding {
  readonly status: Status;
  /** A service, a server as `host:port`, a node. */
  readonly subject: string;
  readonly check: CheckName;
  /** The state that the check has found, with its number. */
  readonly message: string;
  /** Advice. */
  readonly advice?: string;
}

/** The result of a check without its subject, which the caller adds. */
export type Result = Omit<Finding, "subject">;

export const ok = (check: CheckName, message: string): Result => ({ status: "ok", check, message });
export const warn = (check: CheckName, message: string, advice: string): Result => ({
  status: "warn",
  check,
  message,
  advice,
});
export const fail = (check: FailingCheck, message: string, advice: string): Result => ({
  status: "FAIL",
  check,
  message,
  advice,
});

/** What `ops.health` says of a dependency, as the result of a check. */
export const resultOf = (check: FailingCheck, { status, message, advice }: DependencyState): Result => ({
  status,
  check,
  message,
  ...(advice !== undefined && { advice }),
});

/** A check that fails is a finding as well. */
export async function attempt(check: CheckName, make: () => Promise<readonly Result[]>): Promise<readonly Result[]> {
  try {
    return await make();
  } catch (error) {
    const message = `could not be checked: ${reasonOf(error)}`;
    return [{ status: "FAIL", check, message, advice: "mend that first" }];
  }
}

/** A connection refused on every address of a host is an error without a message; the errors inside have messages. */
export function reasonOf(error: unknown): string {
  const { message, code, errors } = error as Error & { code?: string; errors?: Error[] };
  return withoutSecrets((message || errors?.[0]?.message || code || String(error)).replaceAll(/\s+/g, " "));
}

export const lineOf = ({ status, subject, check, message, advice }: Finding): string =>
  `${status.padEnd(4)}  ${subject.padEnd(15)} ${check.padEnd(12)} ${message}${advice === undefined ? "" : ` → ${advice}`}`;

/** `3 events`, `1 event`. */
export const count = (n: number, noun: string, plural = `${noun}s`): string =>
  `${n.toLocaleString("en")} ${n === 1 ? noun : plural}`;

/** `250 ms`, `12 s`, `3 min`, `5 h`. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  return ms < 7_200_000 ? `${Math.round(ms / 60_000)} min` : `${Math.round(ms / 3_600_000)} h`;
}

export const megabytes = (bytes: number): string =>
  `${(bytes / 1_048_576).toLocaleString("en", { maximumFractionDigits: 1 })} MB`;
