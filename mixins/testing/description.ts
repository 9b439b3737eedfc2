// An API's description (OpenAPI 3.1) as a measure of the API: whether an answer is one that it lists, with a body by the
// schema and the header fields that it names; and whether its own examples are valid.
import { compileSchema, exampleOf, type Check } from "../contract/index.ts";
import { isJson, type Received, type Sent } from "./wire.ts";

type Node = Readonly<Record<string, any>>;

/** A value that the description shows, with its schema. */
export interface Example {
  /** For people: `POST /loans: application/json`. */
  readonly where: string;
  readonly schema: Node;
  readonly value: unknown;
}

interface Response {
  readonly content: Readonly<Record<string, Check>>;
  readonly headers: readonly { readonly name: string; readonly required: boolean; readonly check: Check }[];
  /** For a problem: the types that it may have; undefined where any may come. */
  readonly types: ReadonlySet<string> | undefined;
}

export class ApiDescription {
  readonly document: Node;
  readonly #operations: readonly { readonly method: string; readonly pattern: RegExp; readonly operation: Node }[];
  readonly #responses = new Map<Node, Response>();

  constructor(document: Node) {
    this.document = document;
    // A path without a parameter comes before one with: `/loans/lost` before `/loans/{id}`.
    const paths = Object.entries<Node>(document["paths"]).sort(([a], [b]) => parametersIn(a) - parametersIn(b));
    this.#operations = paths.flatMap(([path, methods]) =>
      Object.entries<Node>(methods).map(([method, operation]) => ({
        method: method.toUpperCase(),
        pattern: new RegExp(`^${path.replaceAll(".", "\\.").replaceAll(/\{\w+\}/g, "[^/]+")}$`),
        operation,
      })),
    );
  }

  /** The operation that such a request is for; undefined for none. */
  operation(method: string, path: string): Node | undefined {
    const asked = path.split("?", 1)[0]!;
    return this.#operations.find(each => each.method === method && each.pattern.test(asked))?.operation;
  }

  /** Everything in which an answer differs from the description; empty for a request of no operation. */
  faultsOf({ method, path }: Pick<Sent, "method" | "path">, answer: Received): string[] {
    // HEAD is answered as GET is, without the body.
    const operation = this.operation(method === "HEAD" ? "GET" : method, path);
    // A stream has no HEAD.
    if (!operation || (method === "HEAD" && answer.status === 405)) return [];
    const listed = operation["responses"][answer.status];
    if (!listed) return [`the status ${answer.status} is not listed`];
    const { content, headers, types } = this.#response(this.resolved(listed));
    const type = answer.contentType.split(";", 1)[0]!;
    const faults: string[] = [];
    for (const { name, required, check } of headers) {
      const value = answer.headers[name.toLowerCase()];
      if (value === undefined ? required : check({ value: asNumber(value) }) !== true)
        faults.push(`the header ${name} is ${value === undefined ? "missing" : JSON.stringify(value)}`);
    }
    if (method === "HEAD") return faults;
    if (Object.keys(content).length === 0) {
      if (answer.text !== "") faults.push(`a body where none is described`);
      return faults;
    }
    const check = content[type];
    if (!check) return [...faults, `the media type ${type} is not listed`];
    const issues = isJson(type) ? check({ value: answer.json }) : true;
    if (issues !== true)
      faults.push(...issues.map(({ field, message }) => `the body: ${field.replace(/^value\.?/, "")} ${message}`));
    if (types && !types.has(answer.json?.type)) faults.push(`the problem ${answer.json?.type} is not listed`);
    return faults;
  }

  #response(response: Node): Response {
    let known = this.#responses.get(response);
    if (!known) {
      const content = Object.entries<Node>(response["content"] ?? {});
      const headers = Object.entries<Node>(response["headers"] ?? {});
      const problem = response["content"]?.["application/problem+json"]?.schema.allOf?.[1];
      known = {
        content: Object.fromEntries(content.map(([type, { schema }]) => [type, this.#checkOf(schema)])),
        headers: headers.map(([name, header]) => {
          const { required = false, schema } = this.resolved(header);
          return { name, required, check: this.#checkOf(schema) };
        }),
        types: problem && new Set<string>(problem.properties.type.enum),
      };
      this.#responses.set(response, known);
    }
    return known;
  }

  #checkOf(schema: Node): Check {
    const value = this.resolved(schema) as Node;
    // Formats of the domain are known where its contracts are loaded; to others they are remarks, as JSON Schema has it.
    let check = this.#checks.get(value);
    if (!check) {
      const whole = { type: "object", properties: { value: withKnownFormats(value) }, required: ["value"] };
      check = compileSchema(whole, "the description");
      this.#checks.set(value, check);
    }
    return check;
  }
  readonly #checks = new WeakMap<Node, Check>();

  /** The examples of parameters, bodies and answers. */
  examples(): Example[] {
    return Object.entries<Node>(this.document["paths"]).flatMap(([path, methods]) =>
      Object.entries<Node>(methods).flatMap(([method, { parameters = [], requestBody = {}, responses }]) => {
        const line = `${method.toUpperCase()} ${path}`;
        const shown: Example[] = parameters
          .filter(({ example }: Node) => example !== undefined)
          .map(({ name, schema, example }: Node) => ({ where: `${line}: ${name}`, schema, value: example }));
        const answers = Object.values<Node>(responses).map(response => this.resolved(response));
        for (const { content = {} } of [requestBody, ...answers])
          for (const [type, { schema, example }] of Object.entries<Node>(content))
            if (example !== undefined) shown.push({ where: `${line}: ${type}`, schema, value: example });
        return shown;
      }),
    );
  }

  /** Examples that their schema refuses, with the reason. */
  badExamples(): string[] {
    return this.examples().flatMap(({ where, schema, value }) => {
      const issues = this.#checkOf(schema)({ value: structuredClone(value) });
      return issues === true ? [] : [`${where}: ${issues.map(({ field, message }) => `${field} ${message}`).join()}`];
    });
  }

  /** The node with every reference replaced by its target. Throws for a reference to nothing. */
  resolved(node: any): any {
    if (Array.isArray(node)) return node.map(item => this.resolved(item));
    if (typeof node !== "object" || node === null) return node;
    const { $ref } = node as { $ref?: unknown };
    if (typeof $ref !== "string") {
      const known = this.#resolved.get(node);
      if (known) return known;
      const copy = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, this.resolved(value)]));
      this.#resolved.set(node, copy);
      return copy;
    }
    const target = $ref
      .slice(2)
      .split("/")
      .reduce<any>((at, key) => at?.[key], this.document);
    if (target === undefined) throw new Error(`${$ref} refers to nothing`);
    return this.resolved(target);
  }
  readonly #resolved = new WeakMap<object, any>();
}

function withKnownFormats(node: any): any {
  if (Array.isArray(node)) return node.map(withKnownFormats);
  if (typeof node !== "object" || node === null) return node;
  const kept = Object.entries(node).filter(
    ([key, value]) => key !== "format" || typeof value !== "string" || exampleOf(value),
  );
  return Object.fromEntries(kept.map(([key, value]) => [key, withKnownFormats(value)]));
}

const parametersIn = (path: string): number => path.split("{").length - 1;
/** A header is text; one that is described as an integer has digits. */
const asNumber = (value: unknown): unknown =>
  typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : value;
