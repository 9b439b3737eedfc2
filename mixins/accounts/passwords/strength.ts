// Refuses passwords that fall at the first guesses: those of known leaks, words, names, dates, patterns on a keyboard,
// and what the person is called. No rule about capitals and digits: NIST SP 800-63B 3.1.1.2 advises against them, since
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
    const { score, feedback } = (await (estimator ??= load())).check(
      headOf(password.normalize("NFKC")),
      wordsOf(person),
    );
    if (score >= limits.passwordScoreMin) return;
    const why = feedback.warning ?? feedback.suggestions[0] ?? "It is short, or simple.";
    throw accountErrors.WEAK_PASSWORD({ field, message: `is easy to guess: ${asClause(why)}` });
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

/** By code points: half of a surrogate pair is no character. */
const headOf = (text: string): string => Array.from(text).slice(0, limits.scoredCharsMax).join("");

/** The address, its parts, the name and its words; parts of one or two letters are in every password. */
const wordsOf = ({ email, name }: { email: string; name: string }): string[] =>
  [...new Set([email, name, ...email.split(/[@.+_-]/), ...name.split(/\s+/)])]
    .filter(word => word.length > 2)
    .slice(0, 20)
    .map(headOf);

/** The library writes sentences; ours are clauses. */
const asClause = (sentence: string): string =>
  sentence.replace(/^[A-Z]/, first => first.toLowerCase()).replace(/\.$/, "");
