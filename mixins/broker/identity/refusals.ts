// Refused packets and endpoints: counted, and logged once a minute for each reason and sender, since a stranger can send
// as many as they like.
import type { ServiceBroker } from "moleculer";
import { metersOf } from "../../metrics/index.ts";
import { busMetrics } from "../metrics.ts";
import { IDENTITY_LIMITS as limits } from "./limits.ts";

export class Refusals {
  readonly #broker: ServiceBroker;
  readonly #loggedAt = new Map<string, number>();

  constructor(broker: ServiceBroker) {
    this.#broker = broker;
  }

  /** `what` completes the sentence "the bus: …". */
  add(reason: string, what: string): void {
    const { logger } = this.#broker;
    metersOf(this.#broker)?.counter(busMetrics.refused, { reason }).add();
    const now = performance.now();
    const key = `${reason} ${what}`;
    if (now - (this.#loggedAt.get(key) ?? -Infinity) < limits.loggedAgainMs) return;
    if (this.#loggedAt.size >= limits.loggedMax) this.#loggedAt.clear();
    this.#loggedAt.set(key, now);
    logger.warn(`the bus: ${what} (${reason}); it is dropped, and said once a minute`);
  }
}
