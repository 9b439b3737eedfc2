// What a person reads when an account is refused, at which field.
interface Refused {
  readonly code: string;
  readonly message: string;
  readonly errors: readonly { readonly field: string; readonly message: string }[];
  readonly retryAfterMs: number | undefined;
}
export type Faults = Readonly<Record<string, string>>;

/** By field; what is about none is at `form`. */
export function faultsOf({ code, message, errors, retryAfterMs }: Refused, now = Date.now()): Faults {
  if (code === "EMAIL_TAKEN") return { email: "There is an account with this address. Sign in to it instead." };
  if (code === "WEAK_PASSWORD")
    return { password: "This one is easy to guess. Three or four words that do not belong together are better." };
  const fields = Object.fromEntries(
    errors.filter(({ field }) => FIELDS.has(field)).map(({ field, message: says }) => [field, sentence(says)]),
  );
  if (Object.keys(fields).length > 0) return fields;
  if (retryAfterMs === undefined) return { form: sentence(message) };
  const until = new Intl.DateTimeFormat(undefined, { timeStyle: "short" }).format(now + retryAfterMs);
  return { form: `There were many new accounts from here. Try it again after ${until}.` };
}
const FIELDS = new Set(["name", "email", "password"]);
const sentence = (text: string): string => {
  const upper = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(upper) ? upper : `${upper}.`;
};
