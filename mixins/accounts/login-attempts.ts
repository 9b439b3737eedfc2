// Bounds guesses at passwords: failed log-ins are counted for each account, for each account at an address that it
// knows, and for each address over all accounts. So a guesser gets few attempts, and cannot lock the owner out at an
// address from which the owner has logged in before.
//
// An attempt counts from its begin, or guesses that come at once would all be compared. One too many while others are
// under way waits for their outcome, so that right passwords that come at once are not refused for each other:
//
//   1. counted, within the limit: the password is compared
//   2. right: the count starts anew, and attempts that wait go on; wrong: it stays
//   3. none is under way any more: attempts that wait are within the limit, or are refused
import type { Count, Counter } from "../redis/index.ts";
import { accountErrors } from "./errors.ts";
import { limits } from "./limits.ts";

export interface Counters {
  readonly byAccount: Counter;
  readonly byAddress: Counter;
}

/** An attempt to show that one knows the password of an account. */
export interface Attempt {
  /** The account's address in its normal form. */
  readonly account: string;
  /** The network that it comes from; without one only the account counts. */
  readonly address: string | undefined;
  /** Whether the account knows this address; asked only when it decides. */
  readonly isKnown: () => Promise<boolean>;
}

export class LoginAttempts {
  readonly #account: BoundedAttempts;
  readonly #address: BoundedAttempts;

  constructor({ byAccount, byAddress }: Counters) {
    this.#account = new BoundedAttempts(byAccount, limits.failedLoginsMax);
    this.#address = new BoundedAttempts(byAddress, limits.failedLoginsPerAddressMax);
  }

  /**
   * Whether the password is right, as `compare` says. Refuses `TOO_MANY_ATTEMPTS` (429) one too many of the account or of
   * the address; known and unknown accounts count alike. An address that the account knows has a count of its own, which
   * strangers cannot use up. An attempt whose comparison throws was not compared, and does not count.
   */
  async isRight(attempt: Attempt, compare: () => Promise<boolean>): Promise<boolean> {
    const { address } = attempt;
    if (address !== undefined) await this.#address.begin(address);
    // An attempt that the account refuses counts at the address.
    let outcome: Outcome = "wrong";
    try {
      const key = await this.#begin(attempt);
      outcome = "undone";
      try {
        outcome = (await compare()) ? "right" : "wrong";
      } finally {
        await this.#account.end(key, outcome);
      }
    } finally {
      if (address !== undefined) await this.#address.end(address, outcome === "wrong" ? "wrong" : "undone");
    }
    return outcome === "right";
  }

  /** Forgets the failures of an account, whose password has been set anew, and those at the address that did it. */
  async forget(account: string, address: string | undefined): Promise<void> {
    await this.#account.forget(account);
    if (address !== undefined) await this.#account.forget(at(account, address));
  }

  /** Answers the key under which the attempt is counted. */
  async #begin({ account, address, isKnown }: Attempt): Promise<string> {
    if (await this.#account.mayBegin(account)) return account;
    const key = address !== undefined && (await isKnown()) ? at(account, address) : account;
    await this.#account.begin(key);
    return key;
  }
}

/** `undone`: the attempt does not count. */
type Outcome = "right" | "wrong" | "undone";

/** The key of an account at an address that it knows. */
const at = (account: string, address: string): string => `${account} ${address}`;

/** Attempts under way in this process, and those that wait for their outcome. */
interface UnderWay {
  running: number;
  readonly waiting: (() => void)[];
}

/** Attempts of one kind, so many of each key. Other processes' attempts are counted, and not waited for. */
class BoundedAttempts {
  readonly #counter: Counter;
  readonly #max: number;
  readonly #underWay = new Map<string, UnderWay>();

  constructor(counter: Counter, max: number) {
    this.#counter = counter;
    this.#max = max;
  }

  /** Counts an attempt if that is within the limit now. */
  async mayBegin(key: string): Promise<boolean> {
    if (this.#isBegun(key, await this.#counter.add(key))) return true;
    await this.#counter.giveBack(key);
    return false;
  }

  /** Counts an attempt; waits while it is one too many and others are under way, then refuses it. */
  async begin(key: string): Promise<void> {
    for (;;) {
      const before = this.#underWay.get(key);
      const counted = await this.#counter.add(key);
      if (this.#isBegun(key, counted)) return;
      const underWay = this.#underWay.get(key);
      // Those before it may have been decided while it was counted: then the count is an old one.
      const waiting = (underWay ?? before)?.waiting;
      if (!waiting || waiting.length >= limits.attemptsWaitingMax) throw tooMany(counted);
      const decided = underWay && new Promise<void>(resolve => waiting.push(resolve));
      await this.#counter.giveBack(key);
      await decided;
    }
  }

  async end(key: string, outcome: Outcome): Promise<void> {
    try {
      if (outcome === "right") await this.#counter.clear(key);
      if (outcome === "undone") await this.#counter.giveBack(key);
    } finally {
      this.#isOver(key, outcome);
    }
  }

  forget(key: string): Promise<void> {
    return this.#counter.clear(key);
  }

  #isBegun(key: string, { count }: Count): boolean {
    if (count > this.#max) return false;
    const underWay = this.#underWay.get(key) ?? { running: 0, waiting: [] };
    underWay.running++;
    this.#underWay.set(key, underWay);
    return true;
  }

  /** Lets as many go on as there is room for; all of them when nobody is left to wait for. */
  #isOver(key: string, outcome: Outcome): void {
    const underWay = this.#underWay.get(key)!;
    underWay.running--;
    if (underWay.running === 0) this.#underWay.delete(key);
    const room = underWay.running === 0 ? underWay.waiting.length : { right: this.#max, undone: 1, wrong: 0 }[outcome];
    for (const goOn of underWay.waiting.splice(0, room)) goOn();
  }
}

const tooMany = ({ endsInMs: retryAfterMs }: Count) =>
  accountErrors.TOO_MANY_ATTEMPTS({ seconds: Math.ceil(retryAfterMs / 1_000), retryAfterMs });
