// Refuses passwords that fall at the first guesses: those of known leaks, words, names, dates, patterns on a keyboard,
// and what the person is called: without its owner's name and address a password must still be strong. No rule about capitals and digits: NIST SP 800-63B 3.1.1.2 advises against them, since
// they are met by `Password1!`. The estimate is zxcvbn's (Wheeler, USENIX Security 2016), with dictionaries on disk:
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
    const rest = text.replace(anyOf(words), "");
    if (rest !== text && guesses.check(rest).score < limits.passwordScoreMin)
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

/** The address, its parts, the name and its words; parts of one or two letters are in every password. */
const wordsOf = (person: { email: string; name: string }): string[] => {
  const [email, name] = [normal(person.email).toLowerCase(), normal(person.name).toLowerCase()];
  const local = email.slice(0, email.lastIndexOf("@"));
  const parts = `${email} ${name}`.split(/[\s\p{P}\p{S}]+/u);
  return [...new Set([email, local, name, ...parts])]
    .filter(word => word.length > 2)
    .slice(0, 20)
    .map(headOf);
};

/** The longest first: a part must not take the place of the whole. */
const anyOf = (words: readonly string[]): RegExp =>
  new RegExp(
    words
      .toSorted((a, b) => b.length - a.length)
      .map(word => RegExp.escape(word))
      .join("|"),
    "giu",
  );

/** The library writes sentences; ours are clauses. */
const asClause = (sentence: string): string =>
  sentence.replace(/^[A-Z]/, first => first.toLowerCase()).replace(/\.$/, "");
