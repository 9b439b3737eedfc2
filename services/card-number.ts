import { defineFormat } from "@valence/runtime/contract";

/**
 * Format of a text that is not the number of a payment card. A card's number in place of a token would stand in every
 * log and journal, in clear.
 */
export const NO_CARD_NUMBER = defineFormat("no-card-number", {
  check: text => !isCardNumber(text),
  says: "is a card's number: send the token that stands for it",
  example: "tok_ok",
});

/** 12 to 19 digits with a valid check sum of ISO/IEC 7812 (Luhn), with blanks and the like between them. */
function isCardNumber(text: string): boolean {
  if (!/^[\d\s._/-]*$/u.test(text)) return false;
  const digits = text.replaceAll(/\D/g, "");
  if (digits.length < 12 || digits.length > 19) return false;
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const doubled = Number(digits.at(-1 - i)) * (i % 2 === 0 ? 1 : 2);
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}
