// A provider that refuses our requests as such loses every order in silence. So the log says so at once, and again each
// minute for as long as it lasts, with the provider's last reason. The first real answer ends the alarm; a provider
// that refuses some requests and accepts others is still reported once a minute.
import { minutes, rfc3339, systemClock } from "@valence/runtime/kernel";
import type { Series } from "@valence/runtime/metrics";

const limits = {
  /** Milliseconds between two lines of the log. */
  everyMs: minutes(1),
  /** Characters of a reason: a line of a log. */
  reasonChars: 300,
} as const;

/** Where the alarm tells. */
export interface Told {
  readonly logger: { error(this: unknown, line: string): void; info(this: unknown, line: string): void };
  readonly refusals: Pick<Series, "add"> | undefined;
}

export class ProviderAlarm {
  readonly #told: Told;
  readonly #now: () => number;
  #refused = 0;
  #reason = "";
  #since: number | undefined;
  #toldAt = -Infinity;
  #isTold = false;

  /** `now` is monotonic, in milliseconds. */
  constructor(told: Told, now: () => number = () => performance.now()) {
    this.#told = told;
    this.#now = now;
  }

  raise(reason: string): void {
    this.#refused++;
    this.#reason = reason.slice(0, limits.reasonChars);
    this.#since ??= systemClock.now();
    this.#told.refusals?.add();
    if (this.#now() - this.#toldAt < limits.everyMs) return;
    this.#toldAt = this.#now();
    this.#isTold = true;
    this.#told.logger.error(
      `the payment provider refuses our requests (credentials, address or currency?): ${this.#reason}. Orders are held until ` +
        `it takes them; ${this.#refused} refused so far`,
    );
  }

  /** The provider has answered a request that it understands. */
  end(): void {
    if (this.#since === undefined) return;
    if (this.#isTold) this.#told.logger.info("the payment provider takes our requests again");
    this.#isTold = false;
    this.#refused = 0;
    this.#since = undefined;
  }

  state(): { misconfigured: boolean; refused: number; reason?: string; since?: string } {
    if (this.#since === undefined) return { misconfigured: false, refused: 0 };
    return { misconfigured: true, refused: this.#refused, reason: this.#reason, since: rfc3339(this.#since) };
  }
}
