// A failed call as one line for a terminal.
import { isRefusal, withoutSecrets, type Issue } from "../kernel/index.ts";
import { reasonOf } from "./reason.ts";

/** `VALIDATION_ERROR: state must be one of open, stuck`. */
export function errorLine(error: unknown): string {
  if (error instanceof SyntaxError) return `params: ${error.message}`;
  const { type } = (error ?? {}) as { type?: unknown };
  if (typeof type !== "string") return reasonOf(error);
  // Other messages are sentences of their own.
  const isOfFields = type === "VALIDATION_ERROR";
  const issues = issuesOf(error).map(({ field, message }) => (field && isOfFields ? `${field} ${message}` : message));
  return `${type}: ${issues.length === 0 ? reasonOf(error) : withoutSecrets(issues.join("; "))}`;
}

function issuesOf(error: unknown): readonly Issue[] {
  if (!isRefusal(error)) return [];
  const { data } = error as { data?: readonly Issue[] | { readonly errors?: readonly Issue[] } };
  return (Array.isArray(data) ? data : (data as { errors?: readonly Issue[] } | undefined)?.errors) ?? [];
}
