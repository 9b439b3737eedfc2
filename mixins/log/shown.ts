// Any value as one that can be logged: plain, without secrets, and bounded. An author's value may have cycles, BigInts,
// getters that throw, or ten megabytes; a line is written nevertheless.
import { types } from "node:util";
import { limits } from "./limits.ts";
import { isHidden, redacted, withoutForms } from "./redact.ts";

const HIDDEN = "…";

/** The bytes that are left to a line. Each text takes some; later ones get what is left. */
export class Room {
  #bytes = limits.lineBytesMax - limits.frameBytes;

  get isFull(): boolean {
    return this.#bytes <= 0;
  }

  /** The text without secrets, and cut to what fits, with a note of its length. */
  text(text: string, hide = redacted): string {
    const bytesMax = Math.max(0, Math.min(this.#bytes, limits.textBytesMax));
    const isLong = text.length > bytesMax;
    const shown = hide(isLong ? text.slice(0, bytesMax + limits.secretCharsMax) : text);
    const bytes = escapedBytes(shown);
    if (!isLong && bytes <= bytesMax) {
      this.#bytes -= bytes;
      return shown;
    }
    const cut = cutTo(shown, bytesMax);
    this.#bytes -= escapedBytes(cut);
    return `${cut}… (${text.length} characters)`;
  }

  /** Room for a name or a number. */
  take(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** Bytes in JSON. */
const escapedBytes = (text: string): number =>
  text.length < 200 && PLAIN.test(text) ? text.length : Buffer.byteLength(JSON.stringify(text)) - 2;
const PLAIN = /^[ !#-[\]-~]*$/;

/** The longest beginning that fits, without half a character at its end. */
function cutTo(text: string, bytesMax: number): string {
  let [fits, tooLong] = [0, Math.min(text.length, bytesMax) + 1];
  while (fits + 1 < tooLong) {
    const middle = (fits + tooLong) >> 1;
    if (escapedBytes(text.slice(0, middle)) <= bytesMax) fits = middle;
    else tooLong = middle;
  }
  return text.slice(0, fits).replace(/[\uD800-\uDBFF]$/, "");
}

/** The value as JSON can have it. */
export function shownValue(value: unknown, room: Room, depth = 0, parents: readonly object[] = []): unknown {
  switch (typeof value) {
    case "string":
      return room.text(value);
    case "number":
      room.take(8);
      return Number.isFinite(value) ? value : String(value);
    case "bigint":
      return room.text(String(value));
    case "function":
    case "symbol":
      return room.text(`[${typeof value}]`);
    case "object":
      break;
    default:
      return value;
  }
  if (value === null) return null;
  if (parents.includes(value)) return "[cycle]";
  if (depth >= limits.depthMax || room.isFull) return "[…]";
  const inner = (item: unknown): unknown => shownValue(item, room, depth + 1, [...parents, value]);
  try {
    return shownObject(value, room, inner);
  } catch (error) {
    return room.text(`[cannot be shown: ${textOf(error)}]`);
  }
}

function shownObject(value: object, room: Room, inner: (item: unknown) => unknown): unknown {
  if (isError(value)) return shownError(value, room);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "[invalid date]" : value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (value instanceof Map) return inner([...value].slice(0, limits.entriesMax));
  if (Array.isArray(value) || value instanceof Set) {
    const items = Array.isArray(value) ? value : [...value];
    const shown = items.slice(0, limits.entriesMax).map(inner);
    return items.length > limits.entriesMax ? [...shown, `… (${items.length} entries)`] : shown;
  }
  if (value instanceof URL) return room.text(value.href);
  const names = Object.keys(value);
  const shown: Record<string, unknown> = {};
  for (const name of names.slice(0, limits.entriesMax)) {
    if (room.isFull) break;
    const key = room.text(name);
    room.take(6);
    shown[key] = isHidden(name, names) ? HIDDEN : inner(read(value, name));
  }
  if (names.length > Object.keys(shown).length) shown["…"] = `${names.length} entries`;
  return shown;
}

function read(value: object, name: string): unknown {
  try {
    return (value as Record<string, unknown>)[name];
  } catch (error) {
    return `[cannot be read: ${textOf(error)}]`;
  }
}

function textOf(error: unknown): string {
  try {
    return wordOf((error as Error).message);
  } catch {
    return "no reason";
  }
}

const wordOf = (value: unknown): string =>
  typeof value === "string"
    ? value
    : typeof value === "object"
      ? "[object]"
      : typeof value === "number"
        ? `${value}`
        : `[${typeof value}]`;

/** Also errors of other realms, such as those of jest. */
const isError = (value: object): value is Error => types.isNativeError(value) || value instanceof Error;

/** The fields of an error that a log has. Others, such as a driver's `detail` with its row, are left out. */
export interface ShownError {
  /** As callers match on it: `STREAM_QUARANTINED`; else the name of its class. */
  type: string;
  message: string;
  code?: unknown;
  stack?: string;
  data?: unknown;
  /** The error behind it. */
  cause?: unknown;
  /** Errors that it is made of. */
  errors?: unknown;
}

const FRAME = /^\s+at .*/;

/** An error with its stack and its causes. */
export function shownError(error: unknown, room: Room, causes = 0): ShownError {
  if (typeof error !== "object" || error === null) return { type: "unknown", message: room.text(String(error)) };
  const { name, type, message, code, stack, data, cause, errors } = fieldsOf(error);
  const shown: ShownError = {
    type: room.text(wordOf(type ?? name ?? "Error")),
    message: room.text(wordOf(message ?? "")),
  };
  if (typeof code === "string" || typeof code === "number") shown.code = code;
  if (data !== undefined && data !== null) shown.data = shownValue(data, room, 1);
  const frames = framesOf(stack, wordOf(message ?? ""));
  if (frames !== "") shown.stack = room.text(frames, withoutForms);
  if (causes >= limits.causesMax) return shown;
  if (cause !== undefined) shown.cause = shownError(cause, room, causes + 1);
  if (Array.isArray(errors) && errors.length > 0)
    shown.errors = errors.slice(0, limits.causesMax).map(one => shownError(one, room, causes + 1));
  return shown;
}

const ERROR_FIELDS = ["name", "type", "message", "code", "stack", "data", "cause", "errors"] as const;
const fieldsOf = (error: object): Partial<Record<(typeof ERROR_FIELDS)[number], unknown>> =>
  Object.fromEntries(ERROR_FIELDS.map(name => [name, read(error, name)]));

/** The stack behind the message, which may have lines of its own. */
function framesOf(stack: unknown, message: string): string {
  if (typeof stack !== "string") return "";
  const at = stack.indexOf(message);
  const behind = at === -1 ? stack : stack.slice(at + message.length);
  return behind
    .split("\n", 60)
    .filter(line => FRAME.test(line))
    .join("\n");
}
