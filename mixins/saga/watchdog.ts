// Finds sagas that nobody drives: those of a node that died, of this one's last life, or that a full driver had to let
// go. The rows are written with the journal, so no open saga can be missing from them. Of the nodes of a service one looks.
import type { ServiceBroker } from "moleculer";
import { METRICS } from "../kernel/index.ts";
import type { Singleton } from "../stream/mixin.ts";
import type { SagaDriver } from "./driver.ts";
import type { SagaLimits } from "./limits.ts";

export class Watchdog {
  readonly #driver: SagaDriver;
  readonly #broker: ServiceBroker;
  readonly #service: string;
  readonly #limits: SagaLimits;
  readonly #singleton: Singleton;
  readonly #onLost = ({ node }: { node: { services?: { name: string }[] } }): void => {
    if (node.services?.some(({ name }) => name === this.#service)) this.#olderThanMs = this.#limits.lostAfterMs;
  };
  /** How long a saga must have been still for the next round. */
  #olderThanMs: number;
  #next: NodeJS.Timeout | undefined;
  #round: Promise<void>;
  #stopped = false;

  /** The first round is at once, and takes up every open saga; among other nodes, only what has been still for a moment. */
  constructor(driver: SagaDriver, singleton: Singleton, broker: ServiceBroker, service: string, limits: SagaLimits) {
    this.#driver = driver;
    this.#singleton = singleton;
    this.#broker = broker;
    this.#service = service;
    this.#limits = limits;
    this.#olderThanMs = broker.transit ? limits.lostAfterMs : 0;
    broker.localBus.on("$node.disconnected", this.#onLost);
    this.#round = this.#look();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#next);
    this.#broker.localBus.off("$node.disconnected", this.#onLost);
    await this.#round;
    await this.#singleton
      .release()
      .catch((error: unknown) => this.#broker.logger.debug("a lease was not released", error));
  }

  async #look(): Promise<void> {
    const olderThanMs = this.#olderThanMs;
    try {
      if (await this.#singleton.holds()) {
        this.#olderThanMs = this.#limits.orphanedAfterMs;
        for (const state of ["compensating", "running"] as const) await this.#takeUp(state, olderThanMs);
        if (this.#broker.isMetricsEnabled()) await this.#measure();
      } else this.#olderThanMs = this.#limits.lostAfterMs;
    } catch (error) {
      this.#broker.logger.warn(`the watchdog of ${this.#service}'s sagas could not look`, error);
      this.#olderThanMs = olderThanMs;
    }
    if (this.#stopped) return;
    this.#next = setTimeout(() => {
      this.#round = this.#look();
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
