// A refusal of an action names the fields of the action's own form; a client of a newer version knows others.
import type { Issue } from "../../kernel/index.ts";

/** The error with the fields' names of a newer version. Its class, code and stack stay. */
export function inWordsOf(error: unknown, nameNew: (field: string) => string): unknown {
  const { data } = (error ?? {}) as { data?: unknown };
  // A validator of Moleculer has the list of issues as its data, ours within it.
  const issues: unknown = Array.isArray(data) ? data : (data as { errors?: unknown } | undefined)?.errors;
  if (!Array.isArray(issues)) return error;
  const named = issues.map((issue: Issue) =>
    typeof issue.field === "string" ? { ...issue, field: nameNew(issue.field) } : issue,
  );
  const changed = Array.isArray(data) ? named : { ...(data as object), errors: named };
  return Object.create(Object.getPrototypeOf(error) as object, {
    ...Object.getOwnPropertyDescriptors(error as object),
    data: { value: changed, enumerable: true, configurable: true },
  });
}
