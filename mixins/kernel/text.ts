/** Without control characters and half surrogate pairs: what every store, header and log keeps word for word. */
export const isPrintable = (text: string): boolean => /^[^\p{Cc}\p{Cs}]*$/u.test(text);
