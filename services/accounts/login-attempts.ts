import { Refusal } from "../../mixins/kernel/index.ts";
import type { Counter } from "../../mixins/redis/index.ts";
import { limits } from "./limits.ts";

/** Failed log-ins by account in a fixed window. Known and unknown accounts count alike. */
export class LoginAttempts {
  readonly #failures: Counter;

  constructor(failures: Counter) {
    this.#failures = failures;
  }

  /**
   * Refuses (429) an account with too many failures, before its password is hashed. What is being hashed at that moment
   * is not counted: parallel guesses gain the length of the queue, and a customer's parallel log-ins lose nothing.
   */
  async check(account: string): Promise<void> {
    const { count, endsInMs: retryAfterMs } = await this.#failures.read(account);
    if (count < limits.failedLoginsMax) return;
    throw new Refusal("TOO_MANY_ATTEMPTS", {
      status: 429,
      message: `too many failed log-ins: try again in ${Math.ceil(retryAfterMs / 1_000)} s`,
      retryAfterMs,
    });
  }

  async failed(account: string): Promise<void> {
    await this.#failures.add(account);
  }

  async succeeded(account: string): Promise<void> {
    await this.#failures.clear(account);
  }
}
