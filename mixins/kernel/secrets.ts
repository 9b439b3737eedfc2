// Hides passwords in texts that may hold a URL: everything between the scheme and the last `@`, and the query. Code that
// prints a variable, a URL or a driver's message calls these functions. In doubt they hide more: a password with `/`, `?`,
// `#` or `@` in it makes another URL of the one that was meant.
//
// Texts may be a client's: each search takes time in proportion to the text's length. One regular expression for
// `user:password@` took 2 s for a thousand colons.

const HIDDEN = "…";
/** Host, port and path, several hosts with commas between. A port has five digits at most; more may be a password. */
const ADDRESS = /^[\w.-]*(\[[\da-f:.]+\])?(:\d{1,5})?(,[\w.-]+(:\d{1,5})?)*(\/[\w.~%+-]*)*$/i;
/** What may be a password by its name, as in a query, a keyword form, JSON or a list of settings: `NAMES` tells. */
const NAMED = /\b(\w+)("?)(\s*)([=:])(\s*)("[^"]*"|'[^']*'|[^\s&;,)}]+)/g;
const NAMES = { "=": /(pass\w{0,40}|pwd|secret|token|api_?key)$/i, ":": /(password|passwd|pwd|secret)$/i } as const;
const MAY_BE_NAMED = /pass|pwd|secret|token|api_?key/i;
const WORD = /[^\s"'`]+/g;
/** Punctuation that a sentence puts behind a URL, some characters of it. */
const PUNCTUATION = /[)\]"'`:;,.]{0,8}$/;

/**
 * A sentence, such as a driver's error, without the secrets of the URLs in it. Everything from a scheme to the last `@` is
 * hidden, blanks included: a password can have some.
 */
export function withoutSecrets(text: string): string {
  const lastAt = text.lastIndexOf("@");
  let shown = "";
  let from = 0;
  for (let found = schemeIn(text); found; found = schemeIn(text, from)) {
    const begin = found.index + found.scheme.length;
    const behind = Math.max(begin, lastAt + 1);
    const [token] = /^\S*/.exec(text.slice(behind))!;
    const [punctuation] = PUNCTUATION.exec(token)!;
    const rest = token.slice(0, token.length - punctuation.length);
    shown += withoutNamed(text.slice(from, found.index));
    shown += shownUrl(found.scheme, text.slice(begin, behind), rest) + punctuation;
    from = behind + token.length;
  }
  return shown + withoutNamed(text.slice(from));
}

/** The first `scheme://` of a text from there on. */
function schemeIn(text: string, from = 0): { readonly index: number; readonly scheme: string } | undefined {
  for (let end = text.indexOf("://", from); end !== -1; end = text.indexOf("://", end + 1)) {
    let index = end;
    while (index > from && /[a-z0-9+.-]/i.test(text[index - 1]!)) index--;
    while (index < end && !/[a-z]/i.test(text[index]!)) index++;
    if (index < end) return { index, scheme: text.slice(index, end + 3) };
  }
  return undefined;
}

/** A word without the credentials of a URL whose scheme is missing or misspelt: `user:password@host`. */
function withoutCredentials(word: string): string {
  let at = word.lastIndexOf("@");
  while (at !== -1 && !/[\w[.-]/.test(word[at + 1] ?? "")) at = at === 0 ? -1 : word.lastIndexOf("@", at - 1);
  if (at === -1) return word;
  let colon = word.indexOf(":");
  while (colon === 0 || word[colon - 1] === "(") colon = word.indexOf(":", colon + 1);
  if (colon === -1 || colon > at) return word;
  return `${word.slice(0, word.lastIndexOf("(", colon) + 1)}${HIDDEN}${word.slice(at)}`;
}

function withoutNamed(text: string): string {
  const shown = text.includes("@") ? text.replaceAll(WORD, withoutCredentials) : text;
  if (!MAY_BE_NAMED.test(shown)) return shown;
  return shown.replaceAll(
    NAMED,
    (all: string, name: string, quote: string, before: string, sign: "=" | ":", after: string) =>
      NAMES[sign].test(name) && (quote === "" || sign === ":") ? name + quote + before + sign + after + HIDDEN : all,
  );
}

/** The value of a variable, for a message about it, on one line. */
export function shownValue(variable: string, value: string): string {
  const line = value.replaceAll(/\p{Cc}+/gu, " ");
  if (variable.endsWith("URL")) return line.startsWith("sqlite:") ? shownPath(line) : shownWholeUrl(line);
  if (schemeIn(line)) return shownWholeUrl(line);
  return /:.*@/.test(line) || withoutSecrets(line) !== line ? HIDDEN : line;
}

const shownPath = (value: string): string =>
  schemeIn(value) !== undefined || value.includes("@") ? `sqlite:${HIDDEN}` : value;

function shownWholeUrl(value: string): string {
  const found = schemeIn(value);
  if (found?.index !== 0) return HIDDEN;
  const rest = value.slice(found.scheme.length);
  const at = rest.lastIndexOf("@");
  return shownUrl(found.scheme, rest.slice(0, at + 1), rest.slice(at + 1));
}

/** `credentials`: up to and with the last `@`, if there is one. */
function shownUrl(scheme: string, credentials: string, rest: string): string {
  const [address] = /^[^?#]*/.exec(rest)!;
  // An `@` behind a `?` may be the query's own: then the text after it is the rest of a secret.
  if (/[?#]/.test(credentials) || !ADDRESS.test(address)) return scheme + HIDDEN;
  return `${scheme}${credentials && `${HIDDEN}@`}${address}`;
}
