// Moleculer's REPL with two changed commands (moleculer-repl 0.8.0, src/commands):
//
//   1. `call` prints a failed call as a stack without the field: here as one line that names the field
//   2. `actions` lists the keywords of a JSON Schema as the params of an action: here the params
import { createRequire } from "node:module";
import type { ServiceBroker } from "moleculer";
import { isRefusal, withoutSecrets, type Issue } from "../kernel/index.ts";
import { reasonOf } from "./reason.ts";

type Handler = (broker: ServiceBroker, args: { readonly jsonParams?: unknown }) => Promise<void>;
interface Command {
  readonly handler: Handler;
  readonly declaration: (program: unknown, broker: ServiceBroker, handler: Handler) => void;
  register(program: unknown, broker: ServiceBroker): void;
}
const require = createRequire(import.meta.url);

/** Applies to every REPL that this process starts from here on. */
export function speakPlainly(): void {
  for (const [name, inPlainWords] of [["call", inOneLine] as const, ["actions", withParams] as const]) {
    const command = require(`moleculer-repl/src/commands/${name}.js`) as Command;
    const handler = inPlainWords(command.handler);
    command.register = (program, broker) => command.declaration(program, broker, handler);
  }
}

const inOneLine =
  (handler: Handler): Handler =>
  async (broker, args) => {
    const failed = Promise.withResolvers<void>();
    const say = (error: unknown): void => {
      console.error(`>> ${lineOf(error)}`);
      failed.resolve();
    };
    try {
      if (typeof args.jsonParams === "string") JSON.parse(args.jsonParams);
      const call = (...given: Parameters<ServiceBroker["call"]>) =>
        broker.call(...given).catch((error: unknown) => {
          say(error);
          // The REPL would print the error again at length: this promise never settles.
          return new Promise(() => {});
        });
      await Promise.race([handler(Object.create(broker, { call: { value: call } }), args), failed.promise]);
    } catch (error) {
      // Params that are not JSON, typed or from a file.
      say(error);
    }
  };

const withParams =
  (handler: Handler): Handler =>
  (broker, args) => {
    const getActionList = (options: object) =>
      (broker.registry.getActionList(options) as Listed[]).map(listed => {
        const params = listed.action?.params;
        if (params?.type !== "object" || !params.properties) return listed;
        const named = Object.keys(params.properties).map(name => [
          params.required?.includes(name) ? name : `${name}?`,
          1,
        ]);
        return { ...listed, action: { ...listed.action, params: Object.fromEntries(named) } };
      });
    const registry = Object.create(broker.registry, { getActionList: { value: getActionList } });
    return handler(Object.create(broker, { registry: { value: registry } }), args);
  };

interface Listed {
  readonly action?: {
    readonly params?: { readonly type?: unknown; readonly properties?: object; readonly required?: readonly string[] };
  };
}

/** `VALIDATION_ERROR: state must be one of open, stuck`. */
function lineOf(error: unknown): string {
  if (error instanceof SyntaxError) return `params: ${error.message}`;
  const { type } = (error ?? {}) as { type?: unknown };
  if (typeof type !== "string") return reasonOf(error);
  const issues = issuesOf(error).map(({ field, message }) => (field ? `${field} ${message}` : message));
  return `${type}: ${issues.length === 0 ? reasonOf(error) : withoutSecrets(issues.join("; "))}`;
}

function issuesOf(error: unknown): readonly Issue[] {
  if (!isRefusal(error)) return [];
  const { data } = error as { data?: readonly Issue[] | { readonly errors?: readonly Issue[] } };
  return (Array.isArray(data) ? data : (data as { errors?: readonly Issue[] } | undefined)?.errors) ?? [];
}
