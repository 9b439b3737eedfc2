// A provider that refuses our requests as such loses every order in silence. So the log says so at once, and again each
// minute for as long as it lasts, with the provider's last reason. The first real answer ends the alarm; a provider
// that refuses some requests and accepts others is still reported once a minute.
import { METRICS, minutes, rfc3339, systemClock } from "@valence/runtime/kernel";

const limits = {
  /** Milliseconds between two lines of the log. */
  everyMs: minutes(1),
  /** Characters of a reason: a line of a log. */
  reasonChars: 300,
} as const;

/** The parts of a broker that the alarm uses. */
export interface Told {
  readonly logger: { error(this: unknown, line: string): void; info(this: unknown, line: string): void };
  readonly metrics?:
    | {
        getMetric(name: string): unknown;
        register(metric: object): unknown;
        increment(name: string, labels: object, by?: number): void;
      }
    | undefined;
}

export class ProviderAlarm {
  readonly #broker: Told;
  readonly #now: () => number;
  #refused = 0;
  #reason = "";
  #since: number | undefined;
  #toldAt = -Infinity;
  #isTold = false;

  /** `now` is monotonic, in milliseconds. */
  constructor(broker: Told, now: () => number = () => performance.now()) {
    this.#broker = broker;
    this.#now = now;
    // Set at the start, so that the metric exists before it is needed: an alarm rule on a missing metric never fires.
    this.#count(0);
  }

  raise(reason: string): void {
    this.#refused++;
    this.#reason = reason.slice(0, limits.reasonChars);
    this.#since ??= systemClock.now();
    this.#count(1);
    if (this.#now() - this.#toldAt < limits.everyMs) return;
    this.#toldAt = this.#now();
    this.#isTold = true;
    this.#broker.logger.error(
      `the payment provider refuses our requests (credentials, address or currency?): ${this.#reason}. Orders are held until ` +
        `it takes them; ${this.#refused} refused so far`,
    );
  }

  /** The provider has answered a request that it understands. */
  end(): void {
    if (this.#since === undefined) return;
    if (this.#isTold) this.#broker.logger.info("the payment provider takes our requests again");
    this.#isTold = false;
    this.#refused = 0;
    this.#since = undefined;
  }

  state(): { misconfigured: boolean; refused: number; reason?: string; since?: string } {
    if (this.#since === undefined) return { misconfigured: false, refused: 0 };
    return { misconfigured: true, refused: this.#refused, reason: this.#reason, since: rfc3339(this.#since) };
  }

  #count(by: number): void {
    const { metrics } = this.#broker;
    if (!metrics) return;
    const name = METRICS.outsideRefusedTotal;
    if (!metrics.getMetric(name)) metrics.register({ type: "counter", name, labelNames: ["service"] });
    metrics.increment(name, { service: "payments" }, by);
  }
}
