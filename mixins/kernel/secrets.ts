// Hides passwords in texts that may hold a URL: everything between the scheme and the last `@`, and the query. Code that
// prints a variable, a URL or a driver's message calls these functions. In doubt they hide more: a password with `/`, `?`,
// `#` or `@` in it makes another URL of the one that was meant.

const HIDDEN = "…";
const SCHEME = /[a-z][a-z0-9+.-]*:\/\//i;
/** Host, port and path, several hosts with commas between. A port has five digits at most; more may be a password. */
const ADDRESS = /^[\w.-]*(\[[\da-f:.]+\])?(:\d{1,5})?(,[\w.-]+(:\d{1,5})?)*(\/[\w.~%+-]*)*$/i;
/** A password by its name, as in a query, a keyword form, JSON or a list of settings. */
const PASSWORD =
  /\b(\w*(?:pass\w*|pwd|secret|token|api_?key)\s*=|\w*(?:password|passwd|pwd|secret)"?\s*:)(\s*)("[^"]*"|'[^']*'|[^\s&;,)}]+)/gi;
/** The credentials of a URL whose scheme is missing or misspelt. */
const CREDENTIALS = /[^\s"'`(]+:[^\s"'`]*@(?=[\w[.-])/g;
/** Punctuation that a sentence puts behind a URL. */
const PUNCTUATION = /[)\]"'`:;,.]*$/;

/**
 * A sentence, such as a driver's error, without the secrets of the URLs in it. Everything from a scheme to the last `@` is
 * hidden, blanks included: a password can have some.
 */
export function withoutSecrets(text: string): string {
  const found = SCHEME.exec(text);
  if (!found) return text.replaceAll(CREDENTIALS, `${HIDDEN}@`).replaceAll(PASSWORD, `$1$2${HIDDEN}`);
  const before = withoutSecrets(text.slice(0, found.index));
  const rest = text.slice(found.index + found[0].length);
  const at = rest.lastIndexOf("@");
  const [token] = /^\S*/.exec(rest.slice(at + 1))!;
  const after = withoutSecrets(rest.slice(at + 1 + token.length));
  const [punctuation] = PUNCTUATION.exec(token)!;
  return (
    before +
    shownUrl(found[0], rest.slice(0, at + 1), token.slice(0, token.length - punctuation.length)) +
    punctuation +
    after
  );
}

/** The value of a variable, for a message about it, on one line. */
export function shownValue(variable: string, value: string): string {
  const line = value.replaceAll(/\p{Cc}+/gu, " ");
  if (variable.endsWith("URL")) return line.startsWith("sqlite:") ? shownPath(line) : shownWholeUrl(line);
  if (SCHEME.test(line)) return shownWholeUrl(line);
  return /:.*@/.test(line) || withoutSecrets(line) !== line ? HIDDEN : line;
}

const shownPath = (value: string): string => (SCHEME.test(value) || value.includes("@") ? `sqlite:${HIDDEN}` : value);

function shownWholeUrl(value: string): string {
  const found = SCHEME.exec(value);
  if (found?.index !== 0) return HIDDEN;
  const rest = value.slice(found[0].length);
  const at = rest.lastIndexOf("@");
  return shownUrl(found[0], rest.slice(0, at + 1), rest.slice(at + 1));
}

/** `credentials`: up to and with the last `@`, if there is one. */
function shownUrl(scheme: string, credentials: string, rest: string): string {
  const [address] = /^[^?#]*/.exec(rest)!;
  // An `@` behind a `?` may be the query's own: then the text after it is the rest of a secret.
  if (/[?#]/.test(credentials) || !ADDRESS.test(address)) return scheme + HIDDEN;
  return `${scheme}${credentials && `${HIDDEN}@`}${address}`;
}
