// OpenAPI 3.1 is JSON Schema 2020-12 around paths, and our contracts are JSON Schema already: nothing is translated.
import type { TProperties, TSchema } from "typebox";
import { problemType, PROBLEM_JSON } from "../kernel/index.ts";
import { strictObject } from "./contract.ts";
import type { DescribedErrors } from "./refusals.ts";

/** One operation as a route and the contract of its action describe it. */
export interface Operation {
  readonly method: string;
  /** With `:name` for params, as routers write it. */
  readonly url: string;
  readonly id: string;
  readonly summary: string;
  /** First part of the id by default. */
  readonly tag: string;
  /** Whether it asks for a bearer token. */
  readonly secured: boolean;
  readonly path: TProperties;
  readonly query: TProperties;
  readonly body: TProperties;
  /** Request headers besides the common ones, by name. */
  readonly headers?: Readonly<Record<string, { description: string; schema: TSchema }>>;
  readonly status: number;
  /** Schema of the answer; none = no body (204), or nothing known. */
  readonly returns?: TSchema | undefined;
  /** Default `application/json`. */
  readonly mediaType?: string;
  /** The errors that it may be refused with, by code. */
  readonly errors?: DescribedErrors;
}

const PROBLEM = {
  type: "object",
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
        required: ["field", "message"],
        properties: { field: { type: "string" }, message: { type: "string" } },
      },
    },
    requestId: { type: "string" },
  },
};

/** The whole document. Pure: the same operations give the same text. */
export function openApi(
  info: { title: string; version: string; description: string },
  operations: readonly Operation[],
) {
  const paths: Record<string, Record<string, object>> = {};
  const problems = operations.map(problemsOf);
  const shared = sharedAmong(problems);
  for (const [i, operation] of operations.entries()) {
    const template = operation.url.replaceAll(/:(\w+)/g, "{$1}");
    (paths[template] ??= {})[operation.method.toLowerCase()] = describe(operation, shared.refer(problems[i]!));
  }
  return {
    openapi: "3.1.0",
    info,
    servers: [{ url: "/" }],
    paths,
    components: {
      schemas: { Problem: PROBLEM },
      responses: {
        Problem: {
          description: "Refused or not possible now.",
          content: { [PROBLEM_JSON]: { schema: { $ref: "#/components/schemas/Problem" } } },
        },
        ...shared.components,
      },
      securitySchemes: { bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" } },
    },
  };
}

function describe(operation: Operation, problems: Readonly<Record<string, object>>): object {
  const { id, tag, summary, secured, path, query, body, headers = {}, status, returns } = operation;
  const { mediaType = "application/json" } = operation;
  const parameters = [
    ...Object.entries(path).map(([name, schema]) => ({ name, in: "path", required: true, schema })),
    ...required(query).map(({ name, schema, required }) => ({ name, in: "query", required, schema })),
    ...Object.entries(headers).map(([name, header]) => ({ name, in: "header", required: false, ...header })),
  ];
  const fields = required(body);
  return {
    operationId: id,
    tags: [tag],
    summary,
    security: secured ? [{ bearer: [] }] : [],
    ...(parameters.length > 0 && { parameters }),
    ...(fields.length > 0 && {
      requestBody: {
        required: fields.some(field => field.required),
        content: { "application/json": { schema: strictObject(body) } },
      },
    }),
    responses: {
      [status]: {
        description: "Done.",
        ...(status !== 204 && { content: { [mediaType]: { schema: returns ?? {} } } }),
      },
      ...problems,
      default: { $ref: "#/components/responses/Problem" },
    },
  };
}

/** The codes of each status, with their messages. */
type ProblemsByStatus = ReadonlyMap<number, ReadonlyMap<string, string>>;

function problemsOf({ errors = {} }: Operation): ProblemsByStatus {
  const byStatus = new Map<number, Map<string, string>>();
  for (const [code, { status, unknown, says }] of Object.entries(errors))
    for (const each of unknown === undefined ? [status] : [status, unknown])
      byStatus.set(each, (byStatus.get(each) ?? new Map<string, string>()).set(code, says));
  return new Map([...byStatus].sort(([a], [b]) => a - b));
}

const responseOf = (codes: ReadonlyMap<string, string>): object => ({
  description: [...codes].map(([code, says]) => `\`${code}\`: ${says}.`).join("\n\n"),
  content: {
    [PROBLEM_JSON]: {
      schema: {
        allOf: [
          { $ref: "#/components/schemas/Problem" },
          { properties: { type: { enum: [...codes.keys()].map(problemType) } } },
        ],
      },
    },
  },
});

/** A response that several operations have stands once, among the components: as `Problem409`, the next one `Problem409-2`. */
function sharedAmong(all: readonly ProblemsByStatus[]) {
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
      components[name] = responseOf(codes);
    }
    return name;
  };
  const refer = (problems: ProblemsByStatus): Record<string, object> =>
    Object.fromEntries(
      [...problems].map(([status, codes]) => [
        status,
        counts.get(keyOf(status, codes))! > 1
          ? { $ref: `#/components/responses/${nameOf(status, codes)}` }
          : responseOf(codes),
      ]),
    );
  return { components, refer };
}

/** The schema library knows which properties are optional; the object schema says it in JSON. */
function required(properties: TProperties): { name: string; schema: TSchema; required: boolean }[] {
  const needed: readonly string[] = strictObject(properties).required ?? [];
  return Object.entries(properties).map(([name, schema]) => ({ name, schema, required: needed.includes(name) }));
}
