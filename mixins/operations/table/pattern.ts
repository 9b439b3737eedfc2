// The form of a command:
//
//   saga <id> retry                         words, and params in angle brackets by their place
//   doctor [service]                        a param that may be left out; the last place
//   actor <type> <id> --diff <from> [to]    a flag that tells this command from others of the same words, and its params

export interface Param {
  readonly param: string;
  readonly isOptional: boolean;
}
export type Place = { readonly word: string } | Param;
export interface Pattern {
  readonly places: readonly Place[];
  readonly flag?: { readonly name: string; readonly params: readonly Param[] };
}

/** Throws TypeError for a command of another form. */
export function readPattern(command: string): Pattern {
  const [head = "", tail] = command.split(" --");
  const places = head.split(" ").map(placeOf);
  if (!("word" in places[0]!)) throw new TypeError(`a command begins with a word: ${command}`);
  if (tail === undefined) return { places };
  const [name = "", ...params] = tail.split(" ");
  return { places, flag: { name, params: params.map(paramOf) } };
}

const placeOf = (text: string): Place => (/^[a-z][a-z-]*$/.test(text) ? { word: text } : paramOf(text));

function paramOf(text: string): Param {
  const [, required, optional] = /^(?:<(\w+)>|\[(\w+)\])$/.exec(text) ?? [];
  const param = required ?? optional;
  if (param === undefined) throw new TypeError(`neither a word nor <param>: ${text}`);
  return { param, isOptional: optional !== undefined };
}
