// The part of a log's publishing that is this node's: some partitions of it, shared with the other nodes of the service
// (sharing/shares.ts), or all of it, or nothing.
//
// A reader of a release before takes the messages of one relay only: it reads the log after each gap, and the messages of
// several are gaps to it. So while a service takes our events that does not say that it puts pages into order, one node
// publishes, by the lease that such a release has too; then they share. A node without a connection to the carrier's server
// takes no part.
import type { Service } from "moleculer";
import { streamEnvironment } from "../environment.ts";
import type { StreamLimits } from "../limits.ts";
import { doAllJoinPages } from "../log/registry.ts";
import { shareWork, type SharedWork } from "../sharing/shared-work.ts";
import { singletonOf, type Singleton } from "../sharing/singleton.ts";

/** Names the work in the leases, of each release. */
const WORK = "relay";
const NONE: ReadonlySet<number> = new Set();

export interface RelayShareOptions {
  readonly service: Service;
  readonly limits: Pick<StreamLimits, "leaseMs" | "lookMs">;
  readonly isConnected: () => boolean;
  /** Called when `held` answers another set from now on. Resolves when the node publishes no other partition any more. */
  readonly onChange: () => Promise<void>;
}

type Mode = "none" | "alone" | "shared";

export class RelayShare {
  /** Number of partitions. */
  readonly count: number;
  readonly #options: RelayShareOptions;
  readonly #all: ReadonlySet<number>;
  readonly #lease: Singleton;
  #mode: Mode = "none";
  #work: SharedWork | undefined;
  #shared: ReadonlySet<number> = NONE;
  #doAllJoinPages = true;
  readonly #endWatch: () => void;

  private constructor(options: RelayShareOptions, lease: Singleton) {
    const { broker } = options.service;
    this.count = Number(streamEnvironment.of(broker).PARTITIONS);
    this.#options = options;
    this.#all = new Set(Array.from({ length: this.count }, (_, partition) => partition));
    this.#lease = lease;
    const look = (): void => {
      const before = this.#doAllJoinPages;
      this.#doAllJoinPages = doAllJoinPages(broker, (options.service.metadata["events"] ?? {}) as object);
      if (this.#doAllJoinPages !== before) void options.onChange();
    };
    look();
    const events = ["$services.changed", "$node.disconnected"];
    for (const event of events) broker.localBus.on(event, look);
    this.#endWatch = () => events.forEach(event => broker.localBus.off(event, look));
  }

  /** Answers the function that opens the share, told what to call when it changes. */
  static async opener(
    service: Service,
    limits: RelayShareOptions["limits"],
    isConnected: () => boolean,
  ): Promise<(onChange: RelayShareOptions["onChange"]) => RelayShare> {
    const lease = await singletonOf(service, WORK, limits);
    return onChange => new RelayShare({ service, limits, isConnected, onChange }, lease);
  }

  /** The partitions that this node publishes now: the same set until something has changed, then another one. */
  async held(): Promise<ReadonlySet<number>> {
    if (this.#mode === "none" || this.#wanted() !== this.#mode) return NONE;
    if (this.#mode === "alone") return (await this.#lease.holds()) ? this.#all : NONE;
    return this.#shared;
  }

  /** Whether other nodes may publish parts of the log. */
  get isShared(): boolean {
    return this.#mode === "shared";
  }

  /** Takes part as is right now. Not while the node publishes. */
  async settle(): Promise<void> {
    const wanted = this.#wanted();
    if (wanted === this.#mode) return;
    await this.#leave();
    this.#mode = wanted;
    if (wanted !== "shared") return;
    const { service, limits, onChange } = this.#options;
    this.#work = await shareWork(
      service,
      WORK,
      partitions => {
        this.#shared = partitions;
        return onChange();
      },
      limits,
    );
  }

  /** Ids of the nodes that have the partitions, by partition; undefined where nodes do not share. */
  async owners(): Promise<readonly (string | undefined)[] | undefined> {
    return this.#work?.owners();
  }

  async end(): Promise<void> {
    this.#endWatch();
    await this.#leave();
  }

  async #leave(): Promise<void> {
    const work = this.#work;
    this.#work = undefined;
    this.#shared = NONE;
    this.#mode = "none";
    await work?.end();
    await this.#lease.release();
  }

  #wanted(): Mode {
    if (!this.#options.isConnected()) return "none";
    return this.#doAllJoinPages ? "shared" : "alone";
  }
}
