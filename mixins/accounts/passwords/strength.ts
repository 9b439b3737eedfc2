// Refuses passwords that fall at the first guesses: those of known leaks, words, names, dates, patterns on a keyboard,
// and what the person is called: without its owner's name and address, however they are spelt, a password must still be
// strong. No rule about capitals and digits: NIST SP 800-63B 3.1.1.2 advises against them, since they are met by `Password1!`. The estimate is zxcvbn's (Wheeler, USENIX Security 2016), with dictionaries on disk:
// nothing about a password leaves the process.
import type { ZxcvbnFactory } from "@zxcvbn-ts/core";
import { accountErrors } from "../errors.ts";
import { limits } from "../limits.ts";

/** One for all brokers of a process: it never changes. */
let estimator: Promise<ZxcvbnFactory> | undefined;

export class PasswordStrength {
  /**
   * Refuses `WEAK_PASSWORD` (422), which names the field and says why, for a password that is easy to guess. `person`: the
   * e-mail address and the name of its owner, the first words that a guesser tries.
   */
  async assertStrong(field: string, password: string, person: { email: string; name: string }): Promise<void> {
    // Loaded with the first password, 0.2 s and 25 MB: most processes of a cluster never see one.
    const guesses = await (estimator ??= load());
    const text = headOf(normal(password));
    const words = wordsOf(person);
    const { score, feedback } = guesses.check(text, words);
    if (score < limits.passwordScoreMin)
      throw weak(field, feedback.warning ?? feedback.suggestions[0] ?? "It is short, or simple.");
    // The estimator takes a blank or a dot between two known words for a guess of its own.
    const plain = folded(text);
    const rest = plain.replace(anyOf(words), "");
    if (rest !== plain && guesses.check(rest).score < limits.passwordScoreMin)
      throw weak(field, "Without your name and your address little is left of it.");
  }
}

async function load(): Promise<ZxcvbnFactory> {
  const [{ ZxcvbnFactory }, common, english] = await Promise.all([
    import("@zxcvbn-ts/core"),
    import("@zxcvbn-ts/language-common"),
    import("@zxcvbn-ts/language-en"),
  ]);
  return new ZxcvbnFactory({
    dictionary: { ...common.dictionary, ...english.dictionary },
    graphs: common.adjacencyGraphs,
    translations: english.translations,
    l33tMaxSubstitutions: limits.scoredSubstitutionsMax,
  });
}

const weak = (field: string, why: string) =>
  accountErrors.WEAK_PASSWORD({ field, message: `is easy to guess: ${asClause(why)}` });

/** Passwords are compared in this form. */
const normal = (text: string): string => text.normalize("NFKC");

/** By code points: half of a surrogate pair is no character. */
const headOf = (text: string): string => Array.from(text).slice(0, limits.scoredCharsMax).join("");

/** The address, its parts, the name and its words, as they are and without accents; parts of one or two letters are in every password. */
const wordsOf = (person: { email: string; name: string }): string[] => {
  const [email, name] = [normal(person.email).toLowerCase(), normal(person.name).toLowerCase()];
  const local = email.slice(0, email.lastIndexOf("@"));
  const parts = `${email} ${name}`.split(/[\s\p{P}\p{S}]+/u);
  const words = [...new Set([email, local, name, ...parts])].filter(word => word.length > 2).slice(0, 20);
  return [...new Set(words.flatMap(word => [word, folded(word), folded(inTwoLetters(word))]))].map(headOf);
};

/** Without accents, in small letters: José and jose, Łukasz and lukasz are one. Most letters decompose (Unicode's NFKD), some do not. */
const folded = (text: string): string =>
  text
    .normalize("NFKD")
    .replace(/\p{M}+/gu, "")
    .toLowerCase()
    .replace(/[łøđðıħßæœþ]/g, letter => UNDECOMPOSED[letter]!);
const UNDECOMPOSED: Readonly<Record<string, string>> = {
  ł: "l",
  ø: "o",
  đ: "d",
  ð: "d",
  ı: "i",
  ħ: "h",
  ß: "ss",
  æ: "ae",
  œ: "oe",
  þ: "th",
};

/** Umlauts as addresses have them: Müller is mueller, Sørensen soerensen, Åse aase. */
const inTwoLetters = (word: string): string => word.replace(/[äöüøå]/g, letter => TWO_LETTERS[letter]!);
const TWO_LETTERS: Readonly<Record<string, string>> = { ä: "ae", ö: "oe", ü: "ue", ø: "oe", å: "aa" };

/** Signs in place of a letter, those that the estimator knows for a word by itself. */
const SIGNS: Readonly<Record<string, string>> = {
  a: "4@",
  b: "8",
  c: "({[<",
  e: "3",
  g: "69&",
  i: "1!|",
  l: "1|7",
  o: "0",
  s: "$5",
  t: "+7",
  x: "%",
  z: "2",
};

/**
 * The words in a folded text, forwards and backwards, with signs in place of letters. The longest first: a part must not take
 * the place of the whole.
 */
const anyOf = (words: readonly string[]): RegExp =>
  new RegExp(
    words
      .map(word => Array.from(word))
      .flatMap(letters => [letters, letters.toReversed()])
      .toSorted((a, b) => b.length - a.length)
      .map(letters => letters.map(spelt).join(""))
      .join("|"),
    "gu",
  );
const spelt = (letter: string): string => {
  const signs = SIGNS[letter];
  if (signs === undefined) return RegExp.escape(letter);
  return `[${letter}${Array.from(signs, sign => RegExp.escape(sign)).join("")}]`;
};

/** The library writes sentences; ours are clauses. */
const asClause = (sentence: string): string =>
  sentence.replace(/^[A-Z]/, first => first.toLowerCase()).replace(/\.$/, "");
