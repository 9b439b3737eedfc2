/** Without control characters and half surrogate pairs: what every store, header and log keeps word for word. */
export const isPrintable = (text: string): boolean => /^[^\p{Cc}\p{Cs}]*$/u.test(text);

/** A part of a URL as it was meant: a lone `%` stands for itself. */
export function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
