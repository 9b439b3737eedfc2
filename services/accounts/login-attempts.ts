import { Refusal, type Clock } from "../../mixins/kernel/index.ts";
import { limits } from "./limits.ts";

/** Failed log-ins by account in a fixed window, in this process's memory. Known and unknown accounts count alike. */
export class LoginAttempts {
  readonly #clock: Clock;
  readonly #accounts = new Map<string, { failures: number; until: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Refuses (429) an account with too many failures, before its password is hashed. What is being hashed at that moment
   * is not counted: parallel guesses gain the length of the queue, and a customer's parallel log-ins lose nothing.
   */
  check(account: string): void {
    const entry = this.#current(account);
    if (!entry || entry.failures < limits.failedLoginsMax) return;
    const retryAfterMs = entry.until - this.#clock.monotonic();
    throw new Refusal("TOO_MANY_ATTEMPTS", {
      status: 429,
      message: `too many failed log-ins: try again in ${Math.ceil(retryAfterMs / 1_000)} s`,
      retryAfterMs,
    });
  }

  failed(account: string): void {
    const entry = this.#current(account);
    if (entry) entry.failures++;
    else this.#remember(account);
  }

  succeeded(account: string): void {
    this.#accounts.delete(account);
  }

  #current(account: string) {
    const entry = this.#accounts.get(account);
    return entry && entry.until > this.#clock.monotonic() ? entry : undefined;
  }

  /** The newest at the end, so that the first is the oldest. */
  #remember(account: string): void {
    this.#accounts.delete(account);
    this.#accounts.set(account, { failures: 1, until: this.#clock.monotonic() + limits.failedLoginsWindowMs });
    if (this.#accounts.size > limits.failedLoginAccountsMax) this.#accounts.delete(this.#accounts.keys().next().value!);
  }
}
