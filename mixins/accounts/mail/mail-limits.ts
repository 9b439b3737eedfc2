// Bounds the mails that people ask for: so many of one kind to an account, so many requests for a reset from an address.
import type { Counter } from "../../redis/index.ts";
import { accountErrors } from "../errors.ts";
import { limits } from "../limits.ts";

export interface MailCounters {
  readonly byAccount: Counter;
  readonly byAddress: Counter;
}

export class MailLimits {
  readonly #counters: MailCounters;
  constructor(counters: MailCounters) {
    this.#counters = counters;
  }

  /**
   * Counts a request for a reset, and answers whether a mail may be sent. Refuses (429) one too many from an address. One
   * too many for an account is not refused: the owner has got mails, and the answer is the same for an address without an
   * account.
   */
  async mayReset(account: string, address: string | undefined): Promise<boolean> {
    if (address !== undefined) {
      const { count, endsInMs } = await this.#counters.byAddress.add(address);
      if (count > limits.resetsPerAddressMax) throw tooMany(endsInMs);
    }
    const { count } = await this.#counters.byAccount.add(`reset ${account}`);
    return count <= limits.mailsPerAccountMax;
  }

  /** Counts a mail that the owner asks for. Refuses (429) one too many. */
  async countVerification(user: string): Promise<void> {
    const { count, endsInMs } = await this.#counters.byAccount.add(`verification ${user}`);
    if (count > limits.mailsPerAccountMax) throw tooMany(endsInMs);
  }
}

const tooMany = (retryAfterMs: number): Error =>
  accountErrors.TOO_MANY_MAILS({ seconds: Math.ceil(retryAfterMs / 1_000), retryAfterMs });
