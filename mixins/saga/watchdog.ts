// Finds sagas that nobody drives: those of a node that died, of this one's last life, or that a full driver had to let
// go. The rows are written with the journal, so no open saga can be missing from them.
import type { ServiceBroker } from "moleculer";
import { METRICS } from "../kernel/index.ts";
import type { SagaDriver } from "./driver.ts";
import type { SagaLimits } from "./limits.ts";

export class Watchdog {
  readonly #driver: SagaDriver;
  readonly #broker: ServiceBroker;
  readonly #service: string;
  readonly #limits: SagaLimits;
  #next: NodeJS.Timeout | undefined;
  #round: Promise<void>;
  #stopped = false;

  /** The first round is at once, and takes up every open saga. */
  constructor(driver: SagaDriver, broker: ServiceBroker, service: string, limits: SagaLimits) {
    this.#driver = driver;
    this.#broker = broker;
    this.#service = service;
    this.#limits = limits;
    this.#round = this.#look(0);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#next);
    await this.#round;
  }

  async #look(olderThanMs: number): Promise<void> {
    let nextOlderThanMs = this.#limits.orphanedAfterMs;
    try {
      for (const state of ["compensating", "running"] as const) await this.#takeUp(state, olderThanMs);
      if (this.#broker.isMetricsEnabled()) await this.#measure();
    } catch (error) {
      this.#broker.logger.warn(`the watchdog of ${this.#service}'s sagas could not look`, error);
      nextOlderThanMs = olderThanMs;
    }
    if (this.#stopped) return;
    this.#next = setTimeout(() => {
      this.#round = this.#look(nextOlderThanMs);
    }, this.#limits.watchdogMs);
  }

  async #takeUp(state: "running" | "compensating", olderThanMs: number): Promise<void> {
    const limit = this.#limits.rows;
    let after: string | undefined;
    do {
      const rows = await this.#driver.store.sagas({ state, olderThanMs, limit, ...(after && { after }) });
      for (const { id } of rows) {
        const ref = this.#driver.refOf(id);
        if (ref && !this.#driver.has(id)) this.#driver.drive(ref);
      }
      after = rows.length === limit ? rows.at(-1)!.id : undefined;
    } while (after !== undefined && !this.#driver.isFull && !this.#stopped);
  }

  /** Counts up to the number of rows of one page: past it, an alarm has long gone off. */
  async #measure(): Promise<void> {
    const { metrics } = this.#broker;
    if (!metrics) return;
    for (const [name, state] of [
      [METRICS.sagasOpen, "open"],
      [METRICS.sagasStuck, "stuck"],
    ] as const) {
      if (!metrics.getMetric(name)) metrics.register({ type: "gauge", name, labelNames: ["service"] });
      const rows = await this.#driver.store.sagas({ state, limit: this.#limits.rows });
      metrics.set(name, rows.length, { service: this.#service });
    }
  }
}
