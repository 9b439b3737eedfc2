// OpenAPI 3.1 is JSON Schema 2020-12 around paths, and our contracts are JSON Schema already: nothing is translated.
import type { TProperties, TSchema } from "typebox";
import { strictObject } from "../contract.ts";
import type { DescribedErrors } from "../refusals.ts";
import { sampleOf } from "../sample.ts";
import { headersIn, referTo, type HeaderName } from "./headers.ts";
import { ANY_PROBLEM, PROBLEM, problemsOf, sharedAmong } from "./problems.ts";
import { NamedSchemas } from "./schemas.ts";

export { HEADERS, type HeaderName } from "./headers.ts";

/** A parameter that many operations take: it stands once, among the components. */
export interface CommonParameter {
  /** Its name among the components. */
  readonly id: string;
  readonly in: "header" | "query";
  readonly name: string;
  readonly description: string;
  readonly schema: TSchema;
}

/** One operation as a route and the contract of its action describe it. */
export interface Operation {
  readonly method: string;
  /** With `:name` for params, as routers write it. */
  readonly url: string;
  /** The name of the operation in generated clients; names of its schemas begin with it, too. */
  readonly id: string;
  readonly summary: string;
  readonly description?: string;
  readonly tag: string;
  /** Whether it asks who the caller is: by any of the document's security schemes, or by one of these. */
  readonly secured: boolean | readonly string[];
  /** Security schemes by which an operation that is not `secured` learns more about a caller who uses one. */
  readonly heeds?: readonly string[];
  readonly path: TProperties;
  readonly query: TProperties;
  readonly body: TProperties;
  /** Media types of the body. Default `application/json`. */
  readonly bodyTypes?: readonly string[];
  /** An example of the body. Default: one made from the schema. */
  readonly example?: object | undefined;
  /** Request headers of its own, by name. */
  readonly headers?: Readonly<Record<string, { description: string; schema: TSchema }>>;
  /** Parameters that it shares with others. */
  readonly common?: readonly CommonParameter[];
  readonly status: number;
  /** Schema of the answer; none = no body (204), or nothing known. */
  readonly returns?: TSchema | undefined;
  /** Default `application/json`. */
  readonly mediaType?: string;
  /** Further media types of the same answer, with their schemas. */
  readonly otherTypes?: Readonly<Record<string, TSchema>>;
  /** Header fields of the answer besides `X-Request-ID`, which every answer has. */
  readonly answerHeaders?: readonly HeaderName[];
  /** Whether a client that has the answer already gets a 304. */
  readonly conditional?: boolean;
  /** The errors that it may be refused with, by code. */
  readonly errors?: DescribedErrors;
  /** Whether clients should move to another operation; the description says which. */
  readonly deprecated?: boolean;
  /** Further members, `x-…`. */
  readonly extensions?: Readonly<Record<`x-${string}`, unknown>>;
}

export interface DocumentInfo {
  readonly title: string;
  readonly version: string;
  readonly description: string;
  readonly license?: { readonly name: string; readonly identifier?: string } | undefined;
}

/** The parts of a document around the operations. */
export interface Surroundings {
  /** URLs at which the API is reached. Default: where the document was read. */
  readonly servers?: readonly { readonly url: string; readonly description?: string }[];
  /** Descriptions of tags; tags without one stand without. */
  readonly tags?: Readonly<Record<string, string>>;
  /** Ways to say who one is, by name. Default: a bearer token. */
  readonly securitySchemes?: Readonly<Record<string, object>>;
}

const BEARER = { bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" } };

/** The whole document. Pure: the same operations give the same text. */
export function openApi(
  info: DocumentInfo,
  operations: readonly Operation[],
  { servers = [{ url: "/" }], tags = {}, securitySchemes = BEARER }: Surroundings = {},
) {
  const schemas = new NamedSchemas();
  schemas.refer(PROBLEM);
  const paths: Record<string, Record<string, object>> = {};
  const problems = operations.map(({ errors }) => problemsOf(errors));
  const shared = sharedAmong(problems);
  for (const [i, operation] of operations.entries()) {
    const template = operation.url.replaceAll(/:(\w+)/g, "{$1}");
    (paths[template] ??= {})[operation.method.toLowerCase()] = {
      ...describe(operation, schemas, shared.refer(problems[i]!, capitalized(operation.id))),
      security: securityOf(operation, Object.keys(securitySchemes)),
    };
  }
  const parameters = commonParametersOf(operations, schemas);
  const responses = { Problem: ANY_PROBLEM, ...shared.components };
  const { license, ...named } = info;
  return {
    openapi: "3.1.0",
    info: { ...named, ...(license && { license }) },
    servers,
    tags: [...new Set(operations.map(({ tag }) => tag))].map(name => ({
      name,
      ...(tags[name] !== undefined && { description: tags[name] }),
    })),
    paths,
    components: {
      schemas: schemas.components,
      responses,
      ...(Object.keys(parameters).length > 0 && { parameters }),
      headers: headersIn([paths, responses]),
      securitySchemes,
    },
  };
}

/** The schemes of which a caller uses one. An empty requirement stands for a caller who uses none. */
function securityOf({ secured, heeds = [] }: Operation, schemes: readonly string[]): object[] {
  const requirements = (names: readonly string[]): object[] => names.map(name => ({ [name]: [] }));
  if (secured) return requirements(secured === true ? schemes : secured);
  return heeds.length === 0 ? [] : [{}, ...requirements(heeds)];
}

function commonParametersOf(operations: readonly Operation[], schemas: NamedSchemas): Record<string, object> {
  const all = operations.flatMap(({ common = [] }) => common);
  return Object.fromEntries(
    all.map(({ id, in: place, name, description, schema }) => [
      id,
      { ...parameter(schemas, place, name, false, schema), description },
    ]),
  );
}

function describe(operation: Operation, schemas: NamedSchemas, problems: Readonly<Record<string, object>>): object {
  const { id, tag, summary, description, path, query, headers = {}, common = [], deprecated, extensions } = operation;
  const parameters = [
    ...Object.entries(path).map(([name, schema]) => parameter(schemas, "path", name, true, schema)),
    ...required(query).map(({ name, schema, required }) => parameter(schemas, "query", name, required, schema)),
    ...Object.entries(headers).map(([name, { description, schema }]) => ({
      ...parameter(schemas, "header", name, false, schema),
      description,
    })),
    ...common.map(({ id }) => ({ $ref: `#/components/parameters/${id}` })),
  ];
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    ...(deprecated && { deprecated }),
    ...(parameters.length > 0 && { parameters }),
    ...requestOf(operation, schemas),
    responses: { ...answersOf(operation, schemas), ...problems, default: { $ref: "#/components/responses/Problem" } },
    ...extensions,
  };
}

/**
 * A text of the schema is about the parameter. Only a required one has an example: pages for trying requests fill it in, and
 * an optional one would then always be sent.
 */
function parameter(schemas: NamedSchemas, place: string, name: string, required: boolean, schema: TSchema) {
  const { description } = schema as { description?: string };
  return {
    name,
    in: place,
    required,
    ...(description !== undefined && { description }),
    schema: schemas.refer(schema),
    ...(required && { example: sampleOf(schema, "full") }),
  };
}

function requestOf({ id, body, bodyTypes = [JSON_TYPE], example }: Operation, schemas: NamedSchemas): object {
  const fields = required(body);
  if (fields.length === 0) return {};
  const whole = strictObject(body);
  const content = {
    schema: schemas.referAs(`${capitalized(id)}Body`, whole),
    example: example ?? sampleOf(whole, "full"),
  };
  return {
    requestBody: {
      required: fields.some(field => field.required),
      content: Object.fromEntries(bodyTypes.map(type => [type, content])),
    },
  };
}

const JSON_TYPE = "application/json";

function answersOf(operation: Operation, schemas: NamedSchemas): Record<string, object> {
  const { status, mediaType = JSON_TYPE, otherTypes = {}, answerHeaders = [], conditional } = operation;
  const headers = referTo(["X-Request-ID", ...answerHeaders]);
  const others = Object.entries(otherTypes).map(([type, schema]) => [type, { schema: schemas.refer(schema) }] as const);
  return {
    [status]: {
      description: STATUS_SAYS[status] ?? "Done.",
      headers,
      ...(status !== 204 && { content: { [mediaType]: answerOf(operation, schemas), ...Object.fromEntries(others) } }),
    },
    ...(conditional && {
      304: {
        description: "Not changed: the client has this answer already.",
        headers: referTo(["X-Request-ID", ...answerHeaders.filter(name => VALIDATORS.has(name))]),
      },
    }),
  };
}
const STATUS_SAYS: Readonly<Record<number, string>> = { 201: "Made.", 204: "Done; there is nothing to show." };
const VALIDATORS: ReadonlySet<string> = new Set(["ETag", "Last-Modified"]);

function answerOf({ id, returns, mediaType = JSON_TYPE }: Operation, schemas: NamedSchemas): object {
  if (returns === undefined) return { schema: {} };
  if (mediaType !== JSON_TYPE) return { schema: schemas.refer(returns) };
  return { schema: schemas.referAs(answerName(id, returns), returns), example: sampleOf(returns, "full") };
}

/** A page of a list is named after its rows, whichever operation answers it: `BookPage`. */
function answerName(id: string, returns: TSchema): string {
  const { rows } = (returns as { properties?: Record<string, { items?: { title?: string } }> }).properties ?? {};
  return rows?.items?.title === undefined ? `${capitalized(id)}Answer` : `${rows.items.title}Page`;
}

/** `loans.open` becomes `LoansOpen`. */
const capitalized = (id: string): string =>
  id
    .split(/\W+/)
    .map(word => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");

/** The schema library knows which properties are optional; the object schema says it in JSON. */
function required(properties: TProperties): { name: string; schema: TSchema; required: boolean }[] {
  const needed: readonly string[] = strictObject(properties).required ?? [];
  return Object.entries(properties).map(([name, schema]) => ({ name, schema, required: needed.includes(name) }));
}
