// Node's response, whose header is written from one list. Fields that are set one by one are each checked, put into a
// table under their name in small letters, and read from there when the header is written: with the 18 fields of an
// answer that takes twice as long. So our own fields are held until then. Any that other code sets by Node's own methods
// are written, too, and come before ours of that name.
import { ServerResponse, type IncomingMessage, type OutgoingHttpHeader, type OutgoingHttpHeaders } from "node:http";

type Given = OutgoingHttpHeaders | OutgoingHttpHeader[];

export class Response extends ServerResponse<IncomingMessage> {
  /** Names and values by turns. */
  #held: string[] | undefined;

  /** Adds fields, names and values by turns, in place of those of the same spelling. */
  hold(fields: readonly string[]): void {
    if (!this.#held) this.#held = [...fields];
    else for (let at = 0; at < fields.length; at += 2) put(this.#held, fields[at]!, fields[at + 1]!);
  }

  holds(name: string): boolean {
    return this.#held?.includes(name) === true;
  }

  /** Takes a field away. */
  drop(name: string): void {
    const at = this.#held?.indexOf(name) ?? -1;
    if (at >= 0) this.#held!.splice(at, 2);
    this.removeHeader(name);
  }

  override writeHead(status: number, reason?: string | Given, more?: Given): this {
    const held = this.#held;
    const given = typeof reason === "string" ? more : reason;
    if (held && (given === undefined || !Array.isArray(given)) && this.getHeaderNames().length === 0) {
      // Ours stay as they are until it is written: a header with a value that cannot be is followed by that of a problem.
      const all: OutgoingHttpHeader[] = [...held];
      for (const name in given) put(all, name, given[name]!);
      return typeof reason === "string" ? super.writeHead(status, reason, all) : super.writeHead(status, all);
    }
    const ours = held ?? [];
    for (let at = 0; at < ours.length; at += 2) {
      const name = ours[at]!;
      if (!this.hasHeader(name)) this.setHeader(name, ours[at + 1]!);
    }
    return typeof reason === "string" ? super.writeHead(status, reason, more) : super.writeHead(status, reason);
  }
}

function put<T>(list: (T | string)[], name: string, value: T): void {
  const at = list.indexOf(name);
  if (at >= 0) list[at + 1] = value;
  else list.push(name, value);
}

/** Header fields, names and values by turns. */
export type Fields = readonly string[];

/** Adds fields to a response whose header is not written yet, in place of those of the same spelling. */
export function setFields(res: ServerResponse, fields: Fields): void {
  if (res instanceof Response) return res.hold(fields);
  for (let at = 0; at < fields.length; at += 2) res.setHeader(fields[at]!, fields[at + 1]!);
}

export const setField = (res: ServerResponse, name: string, value: string): void => setFields(res, [name, value]);

export const hasField = (res: ServerResponse, name: string): boolean =>
  (res instanceof Response && res.holds(name)) || res.hasHeader(name);

/** Takes a field away. */
export function dropField(res: ServerResponse, name: string): void {
  if (res instanceof Response) res.drop(name);
  else res.removeHeader(name);
}
