// Bounds guesses at passwords: failed log-ins are counted for each account, for each account at an address that it
// knows, and for each address over all accounts. So a guesser gets few attempts, and cannot lock the owner out at an
// address from which the owner has logged in before.
import type { Count, Counter } from "../redis/index.ts";
import { accountErrors } from "./errors.ts";
import { limits } from "./limits.ts";

export interface Counters {
  readonly byAccount: Counter;
  readonly byAddress: Counter;
}

export interface Attempt {
  /** The password was right: the count of the account, or of the account at this address, starts anew. */
  succeeded(): Promise<void>;
  /** The password was not compared: the attempt does not count. */
  undo(): Promise<void>;
}

export class LoginAttempts {
  readonly #counters: Counters;

  constructor(counters: Counters) {
    this.#counters = counters;
  }

  /**
   * Counts an attempt. Refuses (429) one too many of the account or of the address; known and unknown accounts count
   * alike. An address that the account knows (`isKnown`, asked only then) has a count of its own, which strangers cannot
   * use up. Without an address only the account counts.
   */
  async begin(account: string, address: string | undefined, isKnown: () => Promise<boolean>): Promise<Attempt> {
    const { byAccount, byAddress } = this.#counters;
    if (address !== undefined) refuseAbove(limits.failedLoginsPerAddressMax, await byAddress.add(address));
    let key = account;
    let counted = await byAccount.add(key);
    if (counted.count > limits.failedLoginsMax && address !== undefined && (await isKnown())) {
      key = `${account} ${address}`;
      counted = await byAccount.add(key);
    }
    refuseAbove(limits.failedLoginsMax, counted);
    const leaveAddress = async () => void (address !== undefined && (await byAddress.giveBack(address)));
    return {
      succeeded: async () => void (await Promise.all([byAccount.clear(key), leaveAddress()])),
      undo: async () => void (await Promise.all([byAccount.giveBack(key), leaveAddress()])),
    };
  }
}

function refuseAbove(max: number, { count, endsInMs: retryAfterMs }: Count): void {
  if (count <= max) return;
  throw accountErrors.TOO_MANY_ATTEMPTS({ seconds: Math.ceil(retryAfterMs / 1_000), retryAfterMs });
}
