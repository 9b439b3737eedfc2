// The problems of an operation by status: their codes, and the text of each. A response that several operations have stands
// once, among the components.
import { STATUS_CODES } from "node:http";
import { PROBLEM_JSON, problemType } from "../../kernel/index.ts";
import type { DescribedErrors } from "../refusals.ts";
import { headersOfProblem, referTo } from "./headers.ts";

export const PROBLEM = {
  type: "object",
  title: "Problem",
  description: "RFC 9457. `errors` names the fields, dots between. Some rules add members of their own.",
  required: ["type", "title", "status", "requestId"],
  properties: {
    type: { type: "string", description: "`/problems/<rule>`, stable: match on this." },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string" },
    errors: {
      type: "array",
      items: {
        type: "object",
        title: "FieldIssue",
        required: ["field", "message"],
        properties: { field: { type: "string" }, message: { type: "string" } },
      },
    },
    requestId: { type: "string" },
  },
};
const EXAMPLE_ID = "0190a0a0-0000-7000-8000-000000000000";

/** Messages of each code, by status. */
export type ProblemsByStatus = ReadonlyMap<number, ReadonlyMap<string, string>>;

export function problemsOf(errors: DescribedErrors = {}): ProblemsByStatus {
  const byStatus = new Map<number, Map<string, string>>();
  for (const [code, { status, unknown, says }] of Object.entries(errors))
    for (const each of unknown === undefined ? [status] : [status, unknown])
      byStatus.set(each, (byStatus.get(each) ?? new Map<string, string>()).set(code, says));
  return new Map([...byStatus].sort(([a], [b]) => a - b));
}

/** `title` names the type that generators make of it; without one they number them all. */
function responseOf(status: number, codes: ReadonlyMap<string, string>, title: string): object {
  const [[code, says]] = [...codes] as [[string, string]];
  return {
    description: [...codes].map(([code, says]) => `\`${code}\`: ${says}.`).join("\n\n"),
    headers: referTo(headersOfProblem(status)),
    content: {
      [PROBLEM_JSON]: {
        schema: {
          title,
          allOf: [
            { $ref: "#/components/schemas/Problem" },
            { type: "object", properties: { type: { enum: [...codes.keys()].map(problemType) } } },
          ],
        },
        example: {
          type: problemType(code),
          title: STATUS_CODES[status],
          status,
          detail: says,
          requestId: EXAMPLE_ID,
        },
      },
    },
  };
}

/** The response that stands for every problem that an operation does not list. */
export const ANY_PROBLEM = {
  description: "Refused or not possible now.",
  headers: referTo(["X-Request-ID"]),
  content: { [PROBLEM_JSON]: { schema: { $ref: "#/components/schemas/Problem" } } },
};

/**
 * Components as `Problem409`, the next one of that status `Problem409-2`; `refer` gives the responses of an operation, whose
 * name begins the names of its own.
 */
export function sharedAmong(all: readonly ProblemsByStatus[]) {
  const keyOf = (status: number, codes: ReadonlyMap<string, string>) => `${status} ${[...codes.keys()].join()}`;
  const counts = new Map<string, number>();
  for (const problems of all)
    for (const [status, codes] of problems)
      counts.set(keyOf(status, codes), (counts.get(keyOf(status, codes)) ?? 0) + 1);
  const names = new Map<string, string>();
  const components: Record<string, object> = {};
  const nameOf = (status: number, codes: ReadonlyMap<string, string>): string => {
    const key = keyOf(status, codes);
    let name = names.get(key);
    if (name === undefined) {
      const nth = [...names.keys()].filter(other => other.startsWith(`${status} `)).length + 1;
      name = `Problem${status}${nth === 1 ? "" : `-${nth}`}`;
      names.set(key, name);
      components[name] = responseOf(status, codes, name.replace("-", "_"));
    }
    return name;
  };
  const refer = (problems: ProblemsByStatus, operation: string): Record<string, object> =>
    Object.fromEntries(
      [...problems].map(([status, codes]) => [
        status,
        counts.get(keyOf(status, codes))! > 1
          ? { $ref: `#/components/responses/${nameOf(status, codes)}` }
          : responseOf(status, codes, `${operation}Problem${status}`),
      ]),
    );
  return { components, refer };
}
