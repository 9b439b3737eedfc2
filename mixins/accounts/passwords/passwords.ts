// Passwords: argon2id with OWASP's parameters, a bounded number at a time. No other request of a stranger costs as much
// as a hash, and hashes run on the thread pool that files and DNS use too: a request that does not fit the queue is
// refused at once.
import { hash, verify } from "@node-rs/argon2";
import { Semaphore } from "../../kernel/index.ts";
import { accountErrors } from "../errors.ts";
import { limits } from "../limits.ts";

/** Argon2id, 19 MiB, two passes, one lane. */
const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** Hash of a random password, compared for an unknown user: it takes the same time as a wrong password. */
const UNKNOWN_USER =
  "$argon2id$v=19$m=19456,t=2,p=1$JzIF/dOiWmjjfsbdjVCPUQ$d9vL8XsHH3HyxMLCvOJaH4cJQfw07rRf5Vmiin5Vakw";

export class Passwords {
  readonly #turn = new Semaphore(limits.hashesAtOnce, limits.hashQueueMax, accountErrors.BUSY);

  /** Unavailable `BUSY` (outcome none) when too many wait. */
  hash(password: string): Promise<string> {
    return this.#turn.run(() => hash(normalPassword(password), PARAMETERS));
  }
  /** False for a wrong password and, after the same work, for an account that is not there. */
  verify(hashed: string | undefined, password: string): Promise<boolean> {
    return this.#turn.run(async () => {
      for (const form of formsOf(password)) if (await verify(hashed ?? UNKNOWN_USER, form)) return hashed !== undefined;
      return false;
    });
  }
  /** Whether the hash, which this password verifies, differs in form from the hashes that we make today. */
  async isOfOlderForm(hashed: string, password: string): Promise<boolean> {
    const [normal, ...others] = formsOf(password);
    return others.length > 0 && !(await this.#turn.run(() => verify(hashed, normal!)));
  }
}

/** The normal form that is hashed, NFKC: the same keys give other code points on another system. */
const normalPassword = (password: string): string => password.normalize("NFKC");

/**
 * The forms in which a password may have been hashed, today's first. Earlier releases hashed it as it was typed, and systems
 * type composed or decomposed letters. A password of plain letters has one form, and costs one hash.
 */
const formsOf = (password: string): string[] => [
  ...new Set([normalPassword(password), password, password.normalize("NFC"), password.normalize("NFD")]),
];
