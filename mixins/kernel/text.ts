/** Text without control characters and half surrogate pairs: every store, header and log keeps it word for word. */
export const isPrintable = (text: string): boolean => /^[^\p{Cc}\p{Cs}]*$/u.test(text);

/** Characters that separate words, or take no room at all: at the ends of a text nobody typed them on purpose. */
const isBlank = (character: string): boolean => /[\s\u00ad\u180e\u200b\u2060]/u.test(character);
const VISIBLE = /[^\s\p{Cc}\p{Default_Ignorable_Code_Point}\u2800]/u;

/** Control characters, line separators, and characters that turn the direction of the text around them. */
const UNFIT_LINE = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Cs}]/u;
const UNFIT_LINES = /[^\P{Cc}\n\t]|[\p{Bidi_Control}\p{Cs}]/u;
/** Text that is in its normal form: most is, and the other checks cost ten times this one. */
const PLAIN = /^[!-~](?:[ -~]*[!-~])?$/;
/** More marks on one letter than Unicode's stream-safe format has. To put them in order costs their square. */
const TOO_MANY_MARKS = /\p{M}{31}/u;

/** The text without blanks at its ends. A loop: a pattern for the end of a text is tried at each of its blanks. */
export function trimmed(text: string): string {
  let [from, to] = [0, text.length];
  while (from < to && isBlank(text[from]!)) from++;
  while (from < to && isBlank(text[to - 1]!)) to--;
  return text.slice(from, to);
}

/**
 * People's text in its one normal form: NFC, trimmed, `""` when there is nothing to see in it, lines ended by LF.
 * Undefined for a text that holds control characters (a text of `lines` may hold LF and tabs), characters that turn the
 * direction of writing (a name with one rearranges the page, or the log, that shows it) or more than 30 marks in a row.
 */
export function normalText(text: string, { lines = false } = {}): string | undefined {
  if (PLAIN.test(text)) return text;
  if (TOO_MANY_MARKS.test(text)) return undefined;
  const normal = trimmed((lines ? text.replaceAll(/\r\n?|[\u2028\u2029]/g, "\n") : text).normalize("NFC"));
  if (!VISIBLE.test(normal)) return "";
  return (lines ? UNFIT_LINES : UNFIT_LINE).test(normal) ? undefined : normal;
}

/**
 * Text as it is searched for and sorted by: compatibility forms taken apart (NFKD), without marks, in lower case. `Éclair`
 * is `eclair`, in whichever form a keyboard writes it.
 */
export const foldedText = (text: string): string =>
  text.normalize("NFKD").replaceAll(/\p{M}/gu, "").toLowerCase().normalize("NFKD").replaceAll(/\p{M}/gu, "");

/** A part of a URL as it was meant: a lone `%` stands for itself. */
export function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
