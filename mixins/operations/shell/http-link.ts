// The way to the services through a gateway: each operation by its route.
import { Misconfigured } from "../../kernel/index.ts";
import { API } from "../../gateway/index.ts";
import { pathParamsOf, type Operation } from "../table/operation.ts";
import type { Call } from "./run.ts";

const limits = {
  /** Milliseconds that the gateway may take. */
  answerMs: 30_000,
};

/** A problem of RFC 9457, as the gateway writes it. */
interface Problem {
  readonly type?: string;
  readonly title?: string;
  readonly detail?: string;
  readonly errors?: readonly object[];
}

/** Asks a gateway, with an access token or an API key. */
export function callByHttp(base: string, token: string | undefined, table: readonly Operation[]): Call {
  const byAction = new Map<string, Operation>(table.map(operation => [operation.action, operation]));
  const headers = credentialOf(token);
  return async (action, params) => {
    const operation = byAction.get(action);
    if (!operation) throw new Misconfigured(`${action} has no route`);
    const { method, url, body } = requestOf(operation, params as Record<string, unknown>);
    const response = await fetch(new URL(API + url, base), {
      method,
      headers: { ...headers, accept: "application/json", ...(body && { "content-type": "application/json" }) },
      ...(body && { body }),
      signal: AbortSignal.timeout(limits.answerMs),
    }).catch((error: Error) => {
      const { message } = (error.cause ?? error) as Error;
      throw new Misconfigured(`${base} does not answer: ${message}`);
    });
    const answer: unknown = await response.json().catch(() => undefined);
    if (response.ok ? !isAnswer(answer, operation) : !isProblem(answer)) throw noGateway(base, response);
    if (!response.ok) throw errorOf(answer as Problem, response.status);
    return answer;
  };
}

/** Whether it has the fields that such an answer always has: any server may answer 200, and "no stuck sagas" is an answer. */
function isAnswer(answer: unknown, { returns }: Operation): boolean {
  const { required = [] } = returns as { required?: readonly string[] };
  return isObject(answer) && Object.keys(answer).length > 0 && required.every(name => Object.hasOwn(answer, name));
}

const isProblem = (answer: unknown): boolean =>
  isObject(answer) && typeof (answer as Problem).type === "string" && typeof (answer as Problem).title === "string";

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function noGateway(base: string, { status, headers }: Response): Misconfigured {
  const kind = headers.get("content-type")?.split(";")[0] ?? "nothing";
  return new Misconfigured(
    `${base} is no gateway of this system, or something stands before it: it answered ${status} ${kind}`,
  );
}

function credentialOf(token: string | undefined): Record<string, string> {
  if (token === undefined) return {};
  return token.startsWith("vk_") ? { "x-api-key": token } : { authorization: `Bearer ${token}` };
}

/** The request of an operation: params of its path there, the others in query or body. */
export function requestOf({ http }: Operation, params: Readonly<Record<string, unknown>>) {
  const [method = "GET", path = ""] = http.split(" ");
  const inPath = pathParamsOf(http);
  const url = path.replaceAll(/:(\w+)/g, (_, name: string) => encodeURIComponent(String(params[name])));
  const others = Object.entries(params).filter(([name, value]) => !inPath.includes(name) && value !== undefined);
  if (method !== "GET") return { method, url, body: JSON.stringify(Object.fromEntries(others)) };
  const query = new URLSearchParams(others.map(([name, value]): [string, string] => [name, String(value)])).toString();
  return { method, url: query === "" ? url : `${url}?${query}` };
}

/** `/problems/saga-not-found` is `SAGA_NOT_FOUND`. */
function errorOf({ type = "", title = "", detail, errors }: Problem, code: number): Error {
  const name = type.split("/").at(-1)!.replaceAll("-", "_").toUpperCase() || `HTTP_${code}`;
  const data = errors && { errors };
  return Object.assign(new Error(detail ?? title), { type: name, code, ...(data && { data }) });
}
