// Finds sagas that no node drives: of a node that died, of this node before its restart, or that a full driver had to let go.
// Guards P5 (none is lost): rows are written with the journal, so no open saga can be missing from them. One node of a service
// looks at a time, by a lease.
import type { ServiceBroker } from "moleculer";
import type { Singleton } from "../stream/siblings.ts";
import type { SagaDriver } from "./driver.ts";
import type { SagaLimits } from "./limits.ts";

export class Watchdog {
  readonly #driver: SagaDriver;
  readonly #broker: ServiceBroker;
  readonly #service: string;
  readonly #limits: SagaLimits;
  readonly #singleton: Singleton;
  /** Nodes that run the service. One that leaves says first that it has no services any more. */
  readonly #nodes = new Set<string>();
  readonly #onSeen = ({ node }: { node: Node }): void => {
    if (node.services?.some(({ fullName }) => fullName === this.#service)) this.#nodes.add(node.id);
  };
  readonly #onLost = ({ node }: { node: Node }): void => {
    if (this.#nodes.delete(node.id)) this.#lost();
  };
  /**
   * Until this monotonic time, sagas without progress for `lostAfterMs` are taken up. It covers two rounds: a saga that moved
   * just before its node was lost is not old enough in the first one.
   */
  #hurryUntil = -Infinity;
  /** Monotonic time at which it last left the watch to others, and whether it has found a saga since that it cannot drive. */
  #yieldedAt = -Infinity;
  #foundForeign = false;
  #next: NodeJS.Timeout | undefined;
  #round: Promise<void>;
  #stopped = false;
  /** A process on its own takes up every open saga once. */
  #isFirst = true;

  /** The first round is at once. It takes up every open saga; among other nodes, those without progress for a moment. */
  constructor(driver: SagaDriver, singleton: Singleton, broker: ServiceBroker, service: string, limits: SagaLimits) {
    this.#driver = driver;
    this.#singleton = singleton;
    this.#broker = broker;
    this.#service = service;
    this.#limits = limits;
    this.#lost();
    for (const node of (broker.registry.nodes as unknown as { toArray(): Node[] }).toArray())
      if (!node.local) this.#onSeen({ node });
    for (const event of SEEN) broker.localBus.on(event, this.#onSeen);
    broker.localBus.on("$node.disconnected", this.#onLost);
    this.#round = this.#look();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#next);
    for (const event of SEEN) this.#broker.localBus.off(event, this.#onSeen);
    this.#broker.localBus.off("$node.disconnected", this.#onLost);
    await this.#round;
    await this.#singleton
      .release()
      .catch((error: unknown) => this.#broker.logger.debug("a lease was not released", error));
  }

  #lost(): void {
    const { lostAfterMs, watchdogMs } = this.#limits;
    this.#hurryUntil = performance.now() + lostAfterMs + 2 * watchdogMs;
  }

  /** Milliseconds without progress after which a saga is taken up. */
  get #olderThanMs(): number {
    const { lostAfterMs, orphanedAfterMs } = this.#limits;
    if (!this.#broker.transit && this.#isFirst) return 0;
    return performance.now() < this.#hurryUntil ? lostAfterMs : orphanedAfterMs;
  }

  async #look(): Promise<void> {
    const olderThanMs = this.#olderThanMs;
    try {
      if (performance.now() - this.#yieldedAt >= this.#limits.yieldMs && (await this.#singleton.holds())) {
        this.#isFirst = false;
        for (const state of ["compensating", "running"] as const) await this.#takeUp(state, olderThanMs);
        await this.#yield();
      } else this.#lost();
    } catch (error) {
      this.#broker.logger.warn(
        `the watchdog of ${this.#service} could not read the open sagas, and tries again`,
        error,
      );
    }
    if (this.#stopped) return;
    this.#next = setTimeout(() => {
      this.#round = this.#look();
    }, this.#limits.watchdogMs);
  }

  /**
   * Lets another node watch when this one cannot drive all open sagas: during a roll-out it may have the release that they
   * need. At most every `yieldEveryMs`, since there may be no such node.
   */
  async #yield(): Promise<void> {
    const now = performance.now();
    const foundForeign = this.#driver.metForeign() || this.#foundForeign;
    this.#foundForeign = false;
    if (!foundForeign || this.#nodes.size === 0 || now - this.#yieldedAt < this.#limits.yieldEveryMs) return;
    this.#yieldedAt = now;
    await this.#singleton.release();
  }

  async #takeUp(state: "running" | "compensating", olderThanMs: number): Promise<void> {
    const limit = this.#limits.rows;
    let after: string | undefined;
    do {
      const rows = await this.#driver.store.sagas({ state, olderThanMs, limit, ...(after && { after }) });
      for (const { id } of rows) {
        const ref = this.#driver.refOf(id);
        if (!ref) this.#foundForeign = true;
        else if (!this.#driver.has(id)) this.#driver.drive(ref);
      }
      after = rows.length === limit ? rows.at(-1)!.id : undefined;
    } while (after !== undefined && !this.#driver.isFull && !this.#stopped);
  }
}

/** A node in Moleculer's registry. */
interface Node {
  readonly id: string;
  readonly local: boolean;
  readonly services?: readonly { fullName: string }[];
}
const SEEN = ["$node.connected", "$node.updated"];
