// Takes up the sagas of this node's partitions that no node drives. Guards P5 (none is lost): rows are written with the
// journal, so no open saga can be missing from them.
//
//   1. a partition that comes to this node: every open saga in it, at once, oldest first, as many as the driver has room
//      for; the others in the rounds after it.
//   2. every `watchdogMs`: those without progress for long. A full driver had to let them go, or a node drove them that
//      had not their partition, and died.
//   3. a saga that this release cannot drive is offered to the other nodes: during a roll-out one may have its release.
import type { ServiceBroker } from "moleculer";
import { Pause } from "../kernel/index.ts";
import type { Saga } from "./define-saga.ts";
import type { SagaDriver, SagaRef } from "./driver.ts";
import type { SagaLimits } from "./limits.ts";

export class Watchdog {
  readonly #driver: SagaDriver;
  readonly #broker: ServiceBroker;
  readonly #service: string;
  readonly #limits: SagaLimits;
  /** Nodes that run the service. One that leaves says first that it has no services any more. */
  readonly #nodes = new Set<string>();
  readonly #onSeen = ({ node }: { node: Node }): void => {
    if (node.services?.some(({ fullName }) => fullName === this.#service)) this.#nodes.add(node.id);
  };
  readonly #onLost = ({ node }: { node: Node }): void => {
    if (this.#nodes.delete(node.id)) this.#lost();
  };
  /**
   * Up to the first round that begins after this monotonic time, sagas without progress for `lostAfterMs` are taken up. A saga
   * that moved just before its node was lost is not old enough in the rounds before.
   */
  #hurryUntil = -Infinity;
  /** By saga, the partitions that are new here and whose open sagas have not all been taken up. */
  readonly #gained = new Map<string, ReadonlySet<number>>();
  readonly #pause = new Pause();
  #isAsked = false;
  readonly #done: Promise<void>;
  #stopped = false;

  constructor(driver: SagaDriver, broker: ServiceBroker, service: string, limits: SagaLimits) {
    this.#driver = driver;
    this.#broker = broker;
    this.#service = service;
    this.#limits = limits;
    for (const node of (broker.registry.nodes as unknown as { toArray(): Node[] }).toArray())
      if (!node.local) this.#onSeen({ node });
    for (const event of SEEN) broker.localBus.on(event, this.#onSeen);
    broker.localBus.on("$node.disconnected", this.#onLost);
    this.#done = this.#run();
  }

  /**
   * From now on the sagas of these partitions are this node's: the open ones of those that are new are driven at once.
   * Resolves when it works on no others.
   */
  serve(saga: Saga, partitions: ReadonlySet<number>): Promise<void> {
    const { gained, isLeft } = this.#driver.serve(saga, partitions);
    const before = this.#gained.get(saga.name) ?? new Set();
    this.#gained.set(saga.name, before.union(gained).intersection(partitions));
    if (gained.size > 0) this.#lookNow();
    return isLeft;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const event of SEEN) this.#broker.localBus.off(event, this.#onSeen);
    this.#broker.localBus.off("$node.disconnected", this.#onLost);
    this.#pause.end();
    await this.#done;
  }

  #lookNow(): void {
    this.#isAsked = true;
    this.#pause.end();
  }

  #lost(): void {
    this.#hurryUntil = performance.now() + this.#limits.lostAfterMs;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      this.#isAsked = false;
      try {
        await this.#look();
      } catch (error) {
        this.#broker.logger.warn(
          `the watchdog of ${this.#service} could not read the open sagas, and tries again`,
          error,
        );
      }
      if (!this.#stopped && !this.#isAsked) await this.#pause.wait(this.#limits.watchdogMs);
    }
  }

  async #look(): Promise<void> {
    await this.#takeUpGained();
    const { lostAfterMs, orphanedAfterMs } = this.#limits;
    const [beganAt, hurryUntil] = [performance.now(), this.#hurryUntil];
    const isHurried = hurryUntil > -Infinity;
    await this.#takeUp(ref => this.#driver.isOurs(ref), isHurried ? lostAfterMs : orphanedAfterMs);
    // Another node may have been lost meanwhile.
    if (beganAt > hurryUntil && hurryUntil === this.#hurryUntil) this.#hurryUntil = -Infinity;
    await this.#offerForeign();
  }

  async #takeUpGained(): Promise<void> {
    const gained = new Map([...this.#gained].filter(([, partitions]) => partitions.size > 0));
    if (gained.size === 0) return;
    const isGained = (ref: SagaRef): boolean => gained.get(ref.saga.name)?.has(this.#driver.partitionOf(ref)) ?? false;
    const isAll = await this.#takeUp(ref => isGained(ref) && this.#driver.isOurs(ref), 0);
    if (!isAll) return;
    // Not those that came meanwhile, of which the first pages may have had sagas.
    for (const [saga, partitions] of gained) if (this.#gained.get(saga) === partitions) this.#gained.delete(saga);
  }

  /** Drives the sagas that are meant, while there is room. Answers whether that was so for all of them. */
  async #takeUp(isMeant: (ref: SagaRef) => boolean, olderThanMs: number): Promise<boolean> {
    const limit = this.#limits.rows;
    for (const state of ["compensating", "running"] as const) {
      let after: string | undefined;
      do {
        if (this.#driver.isFull || this.#stopped) return false;
        const rows = await this.#driver.store.sagas({ state, olderThanMs, limit, ...(after && { after }) });
        for (const { id } of rows) {
          const ref = this.#driver.refOf(id);
          if (ref && isMeant(ref) && !this.#driver.has(id)) this.#driver.drive(ref);
        }
        after = rows.length === limit ? rows.at(-1)!.id : undefined;
      } while (after !== undefined);
    }
    return !this.#driver.isFull;
  }

  /** A node that takes none of some is not asked for more: it has not their release either. */
  async #offerForeign(): Promise<void> {
    let left = this.#driver.foreign();
    for (const node of this.#nodes) {
      for (let at = 0; at < left.length && !this.#stopped; at += this.#limits.offered) {
        const offered = left.slice(at, at + this.#limits.offered);
        const taken = new Set(await this.#driver.offer(node, offered));
        if (taken.size === 0) break;
        left = left.filter(id => !taken.has(id));
        at -= taken.size;
      }
    }
  }
}

/** A node in Moleculer's registry. */
interface Node {
  readonly id: string;
  readonly local: boolean;
  readonly services?: readonly { fullName: string }[];
}
const SEEN = ["$node.connected", "$node.updated"];
