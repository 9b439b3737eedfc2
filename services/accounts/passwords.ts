// Passwords: argon2id with OWASP's parameters, a bounded number at a time. Hashing is the dearest thing that a stranger
// can make us do, and it runs on the thread pool that files and DNS use too: what does not fit is refused at once.
import { hash, verify } from "@node-rs/argon2";
import { accountErrors } from "./errors.ts";
import { limits } from "./limits.ts";

/** Argon2id, 19 MiB, two passes, one lane. */
const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** Hash of a password that nobody has: an unknown user costs the same time as a wrong password. */
const NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$JzIF/dOiWmjjfsbdjVCPUQ$d9vL8XsHH3HyxMLCvOJaH4cJQfw07rRf5Vmiin5Vakw";

export class Passwords {
  readonly #turn = new Semaphore(limits.hashesAtOnce, limits.hashQueueMax);

  /** Unavailable `BUSY` (outcome none) when too many wait. */
  hash(password: string): Promise<string> {
    return this.#turn.run(() => hash(normalPassword(password), PARAMETERS));
  }
  /** False for a wrong password and, after the same work, for an account that is not there. */
  verify(hashed: string | undefined, password: string): Promise<boolean> {
    return this.#turn.run(async () => {
      for (const form of formsOf(password)) if (await verify(hashed ?? NOBODY, form)) return hashed !== undefined;
      return false;
    });
  }
  /** Whether the hash, which this password verifies, is of another form of it than we hash today. */
  async isOfOlderForm(hashed: string, password: string): Promise<boolean> {
    const [normal, ...others] = formsOf(password);
    return others.length > 0 && !(await this.#turn.run(() => verify(hashed, normal!)));
  }
}

/** The same keys give other code points on another system: what is hashed is NFKC. */
const normalPassword = (password: string): string => password.normalize("NFKC");

/**
 * What a password may have been hashed as, today's form first. Releases before took it as it was typed, and systems type
 * composed or decomposed letters. One form only, and so one hash, where it is plain.
 */
const formsOf = (password: string): string[] => [
  ...new Set([normalPassword(password), password, password.normalize("NFC"), password.normalize("NFD")]),
];

/** At most `atOnce` pieces of work run, at most `queueMax` wait; the next one is refused. */
export class Semaphore {
  readonly #atOnce: number;
  readonly #queueMax: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(atOnce: number, queueMax: number) {
    this.#atOnce = atOnce;
    this.#queueMax = queueMax;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running < this.#atOnce) this.#running++;
    else {
      if (this.#waiting.length >= this.#queueMax) throw accountErrors.BUSY();
      // Whoever ends hands its place over, so that a newcomer cannot take it first.
      await new Promise<void>(resolve => this.#waiting.push(resolve));
    }
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }
}
