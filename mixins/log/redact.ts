// What a log must not show. Secrets go by the name of their field, which contracts mark as `writeOnly`, personal data by the fields that contracts mark so, and both by their form,
// wherever they are in a text: in the message of an error, in SQL, in a stack. In doubt it hides.
import { PersonalFields, withoutSecrets, type PersonalField } from "../kernel/index.ts";

const HIDDEN = "…";

/** Names that are secret in any program. A contract adds its own: `hideInLogs`. */
const SECRET_NAME =
  /pass(word|wd|phrase|code)|^pwd$|secret|token$|^auth$|authorization|cookie|api[-_]?key|private[-_]?key|credential|^otp$|signature|^(set-)?session$/i;
/** Names of fields that tell who a person is. */
const PERSONAL_NAME = /e-?mail$|^phone|telephone|shippingaddress|postaladdress|^iban$/i;

const hidden = new Set<string>();
const personal = new PersonalFields();

/** Hides the fields of these names in every line from here on, at any depth. */
export function hideInLogs(names: Iterable<string>): void {
  for (const name of names) hidden.add(name);
}

/** Hides the fields that tell who a person is, likewise. */
export const hidePersonalInLogs = (fields: readonly PersonalField[]): void => personal.add(fields);

/** Whether the field of this name is hidden, in an object with these names. */
export const isHidden = (name: string, names: readonly string[]): boolean =>
  hidden.has(name) || SECRET_NAME.test(name) || PERSONAL_NAME.test(name) || personal.has(name, names);

/** What a text with one of the forms has in any case: most texts are looked through for it once, and left alone. */
const MAY_HOLD_A_FORM =
  /private key|bearer|basic|digest|negotiate|eyJ|vk_|whsec_|[0-9a-f]{64}|pass|pwd|secret|token|api_?key|code|session|sig/i;
const FORMS: readonly [form: RegExp, shown: string][] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(-----END [A-Z ]*PRIVATE KEY-----)?/g, HIDDEN],
  [/\b(Bearer|Basic|Digest|Negotiate)\s+[^\s"',;]+/gi, `$1 ${HIDDEN}`],
  // A JWT, also one that is cut, and a JWE.
  [/\beyJ[\w-]{8,}(\.[\w-]*){0,4}/g, HIDDEN],
  // API keys; 64 hexadecimal digits and more: hashes and keys. An id (UUID, trace) has 32.
  [/\bvk_\w[\w-]*/g, `vk_${HIDDEN}`],
  // Secrets of webhooks.
  [/\bwhsec_[\w+/=-]+/g, `whsec_${HIDDEN}`],
  [/\b[0-9a-f]{64,}\b/gi, HIDDEN],
  // In a query, a cookie, JSON within JSON: names that are not secret at the end of any word.
  [
    /\b(\w{0,40}(?:password|passwd|passphrase|pwd|secret|token|api_?key))(\\*["']?\s{0,9}[=:]\s{0,9}\\*["']?)[^\s"'\\&;,)}]{4,}/gi,
    `$1$2${HIDDEN}`,
  ],
  // Words of prose too: `code: ECONNREFUSED`, `session: closed`. After a colon and a blank only what has a digit is a secret.
  [
    /\b(code|session|signature|sig)(\\*["']\s{0,9}[=:]\s{0,9}\\*["']?|[=:]\\*["']?|\s{0,9}[=:]\s{0,9}\\*["']?(?=[^\s"'\\&;,)}]*\d))[^\s"'\\&;,)}]{4,}/gi,
    `$1$2${HIDDEN}`,
  ],
];
/** A mail's domain helps to find out why mails do not arrive. */
const EMAIL = /[^\s"'`<>()[\],;:=@/\\]{1,64}@(?=[\p{L}\p{N}-]{1,63}(\.[\p{L}\p{N}-]{1,63})+)/gu;
/** Digits with single blanks, dashes or dots between, as cards have them; the check sum tells. */
const DIGITS = /(?<![\w.-])\d(?:[ -]?\d){11,18}(?![\w-])/g;

/** A text without what has the form of a secret, or of an address. */
export const redacted = (text: string): string => withoutForms(withoutSecrets(text));

/** The same for the frames of a stack, whose paths (`file:///app/node_modules/@scope/x.js:1:2`) are no URLs with secrets. */
export function withoutForms(text: string): string {
  let shown = text;
  if (MAY_HOLD_A_FORM.test(shown)) for (const [form, instead] of FORMS) shown = shown.replaceAll(form, instead);
  if (shown.includes("@")) shown = shown.replaceAll(EMAIL, `${HIDDEN}@`);
  return shown.replaceAll(DIGITS, digits => (isCardNumber(digits) ? HIDDEN : digits));
}

/** ISO/IEC 7812 (Luhn), of a network that there is: such cards begin with 2 to 6. Times in milliseconds begin with 1. */
function isCardNumber(text: string): boolean {
  const digits = text.replaceAll(/\D/g, "");
  if (!/^[2-6]/.test(digits)) return false;
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const doubled = Number(digits.at(-1 - i)) * (i % 2 === 0 ? 1 : 2);
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}
