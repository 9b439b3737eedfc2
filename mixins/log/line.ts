// What a line has besides its message: from the arguments of a logger's method, which may be anything in any order, and from
// the call and the span in which it is written.
import { format, types } from "node:util";
import { callAtHand } from "../kernel/index.ts";
import { tracing } from "../tracing/index.ts";
import { Room, shownError, shownValue, type ShownError } from "./shown.ts";

export interface Line {
  readonly message: string;
  readonly fields: { err?: ShownError; data?: unknown };
}

/**
 * `logger.error("text", error)`, Moleculer's idiom, and `logger.error({ error }, "text")`, pino's: texts and numbers are the
 * message, the first error is `err`, anything else is `data`.
 */
export function lineOf(args: readonly unknown[]): Line {
  try {
    return shownLine(args);
  } catch (error) {
    // A proxy whose traps throw: the code that logs it must go on.
    return { message: "a line that cannot be shown", fields: { err: shownError(error, new Room()) } };
  }
}

function shownLine(args: readonly unknown[]): Line {
  const room = new Room();
  const errors: unknown[] = [];
  const data: unknown[] = [];
  const words: unknown[] = [];
  const take = (argument: unknown): void => {
    if (typeof argument !== "object" || argument === null) return void words.push(argument);
    if (types.isNativeError(argument) || argument instanceof Error) return void errors.push(argument);
    const rest = withoutErrorIn(argument, errors);
    if (rest) data.push(rest);
  };
  const [first] = args;
  if (typeof first === "string" && PLACEHOLDER.test(first) && args.length > 1) words.push(formatted(args, room));
  else for (const argument of args) take(argument);

  const message = room.text(words.map(textOf).join(" "));
  const [err, ...others] = errors;
  const all = others.length === 0 ? data : [...others, ...data];
  return {
    message,
    fields: {
      ...(err !== undefined && { err: shownError(err, room) }),
      ...(all.length > 0 && { data: shownValue(all.length === 1 ? all[0] : all, room) }),
    },
  };
}

const PLACEHOLDER = /%[sdifjoO]/;

/** As console.log has it. */
const formatted = (args: readonly unknown[], room: Room): string =>
  format(...args.map(argument => (typeof argument === "string" ? argument : shownValue(argument, room))));

const textOf = (word: unknown): string => (typeof word === "symbol" ? "[symbol]" : String(word));

/** The object without its `err` or `error`, which joins the errors; undefined when nothing is left. */
function withoutErrorIn(object: object, errors: unknown[]): object | undefined {
  for (const name of ["err", "error"]) {
    const { value } = Object.getOwnPropertyDescriptor(object, name) ?? {};
    if (!types.isNativeError(value)) continue;
    errors.push(value);
    const { [name]: _error, ...rest } = object as Record<string, unknown>;
    return Object.keys(rest).length > 0 ? rest : undefined;
  }
  return object;
}

interface Call {
  readonly requestID?: string | null;
  readonly action?: { readonly name?: string } | null;
  readonly service?: { readonly fullName?: string } | null;
  readonly meta?: { readonly user?: { readonly id?: unknown } };
}

/** Where a line comes from: the call at hand, and the current span, if there are any. */
export function origin(): Record<string, string> {
  const found: Record<string, string> = {};
  const call: Call | undefined = callAtHand();
  if (call) {
    if (call.requestID) found["requestId"] = call.requestID;
    if (call.action?.name) found["action"] = call.action.name;
    if (call.service?.fullName) found["service"] = call.service.fullName;
    const user = call.meta?.user?.id;
    if (typeof user === "string" && user !== "") found["user"] = user;
  }
  const span = tracing()?.current();
  if (span) [, found["traceId"], found["spanId"]] = span.traceparent.split("-") as [string, string, string];
  return found;
}
