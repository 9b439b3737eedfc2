// Shares out the partitions of consumers among the nodes that run them. A lease each says which node reads a partition, of
// all sources of the consumer together: what a consumer may do for one stream does not depend on the log's owner, and a
// lease for each source would be so many times the statements.
//
// A node's turn, every `lookMs` and at once when something has changed:
//   1. renew what it holds, all in one statement, from a third of the length on.
//   2. read all leases. Those of the members tell how many nodes share a consumer, those of the partitions which has what.
//   3. take free partitions up to its share, and give back what it has beyond it: the readers finish the batch at hand
//      first. Nothing else moves, so that a node that comes or goes costs the others as little as can be.
//
// Leases only save work. Every effect of a reader is guarded by the checkpoints' revisions, so two nodes that believe to hold
// one partition do no harm.
import { fnv1a, Pause } from "../../kernel/index.ts";
import type { Database } from "../../database/index.ts";
import type { StreamLimits } from "../limits.ts";
import { Leases, nodeOf, type SeenLease } from "./leases.ts";
import { layoutName, partitionName, partitionNames } from "./partitions.ts";

/** Told the partitions that the node holds from now on. Resolves when it works on no other one any more. */
type OnChange = (partitions: ReadonlySet<number>) => Promise<void>;
type ShareLimits = Pick<StreamLimits, "leaseMs" | "lookMs">;

interface Shared {
  readonly consumer: string;
  readonly limits: ShareLimits;
  readonly onChange: OnChange;
  partitions: ReadonlySet<number>;
  /** Given back as soon as the batch at hand is over. */
  readonly leaving: Set<number>;
}

export interface SharesOptions {
  readonly database: Database;
  readonly nodeId: string;
  /** Number of partitions. */
  readonly count: number;
  readonly limits: ShareLimits;
  readonly logger: Record<"debug", (...message: unknown[]) => void>;
}

export class Shares {
  readonly count: number;
  readonly #options: SharesOptions;
  readonly #leases: Leases;
  readonly #consumers = new Map<string, Shared>();
  /** Names of the gates through which readers of this node have gone (gate.ts). */
  readonly #gates = new Set<string>();
  readonly #pause = new Pause();
  #running: Promise<void> | undefined;
  /** Something has changed since the last turn began. */
  #isAsked = false;
  #renewedAt = -Infinity;
  /** Until this monotonic time a node below its share looks more often. */
  #hurriesUntil = -Infinity;
  #isStopping = false;

  constructor(options: SharesOptions) {
    this.#options = options;
    this.count = options.count;
    this.#leases = new Leases(options.database, options.nodeId);
  }

  /** Takes part in a consumer from now on. */
  add(consumer: string, limits: ShareLimits, onChange: OnChange): void {
    this.#consumers.set(consumer, { consumer, limits, onChange, partitions: new Set(), leaving: new Set() });
    this.#lookSoon();
    this.#running ??= this.#run();
  }

  /** Leaves a consumer to the other nodes, when the batch at hand is over. */
  async remove(consumer: string): Promise<void> {
    const shared = this.#consumers.get(consumer);
    if (!shared) return;
    this.#consumers.delete(consumer);
    const isGone = shared.onChange(new Set());
    try {
      await this.#leases.release([this.#memberName(consumer)]);
      await isGone;
      await this.#leases.release(this.#namesOf(consumer));
      await this.#leaveGates(consumer);
    } catch (error) {
      this.#options.logger.debug(`the share of consumer ${consumer} was not given back`, error);
    }
  }

  /** Ends the turns. Call it after the last `remove`. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#pause.end();
    await this.#running;
  }

  /** From now on the gate is kept. */
  keepGate(name: string): void {
    this.#gates.add(name);
  }

  /** The broker has lost a node: its leases are free unless it renews them. */
  lost(nodeId: string): void {
    this.#leases.lost(nodeId);
    this.#lookSoon();
  }
  found(nodeId: string): void {
    this.#leases.found(nodeId);
    this.#lookSoon();
  }

  /** Ids of the nodes that hold the partitions of a consumer, by partition; undefined where one is free. */
  async owners(consumer: string): Promise<(string | undefined)[]> {
    const seen = await this.#seen();
    return this.#namesOf(consumer).map(name => {
      const { holder, isHeld } = seen.get(name) ?? {};
      return isHeld ? nodeOf(holder!) : undefined;
    });
  }

  #lookSoon(): void {
    this.#hurriesUntil = performance.now() + this.#limits().leaseMs;
    this.#isAsked = true;
    this.#pause.end();
  }

  /** One length for all: they are renewed together. */
  #limits(): ShareLimits {
    const all = [this.#options.limits, ...[...this.#consumers.values()].map(({ limits }) => limits)];
    return {
      leaseMs: Math.min(...all.map(({ leaseMs }) => leaseMs)),
      lookMs: Math.min(...all.map(({ lookMs }) => lookMs)),
    };
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      this.#isAsked = false;
      let isBelow = false;
      try {
        isBelow = await this.#look();
      } catch (error) {
        this.#options.logger.debug("the shares of the consumers were not looked at", error);
      }
      if (this.#isStopping || this.#isAsked) continue;
      const { lookMs } = this.#limits();
      await this.#pause.wait(isBelow && performance.now() < this.#hurriesUntil ? lookMs / HURRY : lookMs);
    }
  }

  /** One turn. Answers whether the node is still below its share of any consumer. */
  async #look(): Promise<boolean> {
    const consumers = [...this.#consumers.values()];
    if (consumers.length === 0) return false;
    await this.#renew();
    const seen = await this.#seen();
    const members = this.#membersIn(seen);
    await this.#enlist(seen);
    const plans = consumers.map(shared => ({
      shared,
      plan: planOf({
        me: this.#leases.holder,
        members: members.get(shared.consumer) ?? [],
        owners: this.#ownersOf(shared, seen),
      }),
    }));
    const wanted = plans.flatMap(({ shared: { consumer }, plan }) => plan.take.map(p => this.#leaseName(consumer, p)));
    await this.#leases.take(wanted, seen, this.#limits().leaseMs);
    const after = wanted.length === 0 ? seen : await this.#seen();
    for (const { shared, plan } of plans) this.#change(shared, this.#heldIn(after, shared), plan.release);
    return plans.some(({ shared, plan }) => shared.partitions.size < plan.share);
  }

  async #renew(): Promise<void> {
    const { leaseMs } = this.#limits();
    const now = performance.now();
    if (now - this.#renewedAt < leaseMs / 3) return;
    await this.#leases.renew(leaseMs, { holder: layoutName(this.count), names: [...this.#gates] });
    this.#renewedAt = now;
  }

  async #seen(): Promise<Map<string, SeenLease>> {
    return new Map((await this.#leases.all()).map(lease => [lease.name, lease]));
  }

  /** The live members of each consumer. Those of dead nodes are removed, so that they do not pile up. */
  #membersIn(seen: ReadonlyMap<string, SeenLease>): Map<string, string[]> {
    const members = new Map<string, string[]>();
    for (const { name, holder, isHeld } of seen.values()) {
      const consumer = this.#consumerOfMember(name);
      if (consumer !== undefined && isHeld) members.set(consumer, [...(members.get(consumer) ?? []), holder]);
    }
    return members;
  }

  async #enlist(seen: ReadonlyMap<string, SeenLease>): Promise<void> {
    const missing = [...this.#consumers.keys()]
      .map(consumer => this.#memberName(consumer))
      .filter(name => seen.get(name)?.holder !== this.#leases.holder);
    await this.#leases.take(missing, seen, this.#limits().leaseMs);
    const dead = [...seen.values()].filter(
      ({ name, holder, isHeld }) => name.startsWith(MEMBER) && !isHeld && holder !== this.#leases.holder,
    );
    await this.#leases.remove(dead);
  }

  #ownersOf({ consumer, leaving }: Shared, seen: ReadonlyMap<string, SeenLease>): (string | undefined)[] {
    return Array.from({ length: this.count }, (_, partition) => {
      const { holder, isHeld = false } = seen.get(this.#leaseName(consumer, partition)) ?? {};
      if (holder === this.#leases.holder) return leaving.has(partition) ? "" : holder;
      return isHeld ? holder : undefined;
    });
  }

  #heldIn(seen: ReadonlyMap<string, SeenLease>, shared: Shared): Set<number> {
    const owners = this.#ownersOf(shared, seen);
    return new Set(owners.flatMap((owner, partition) => (owner === this.#leases.holder ? [partition] : [])));
  }

  #change(shared: Shared, held: Set<number>, release: readonly number[]): void {
    // It may have left meanwhile.
    if (this.#consumers.get(shared.consumer) !== shared) return;
    const kept = held.difference(new Set(release));
    const given = [...held.difference(kept)];
    if (kept.size === shared.partitions.size && kept.isSubsetOf(shared.partitions) && given.length === 0) return;
    shared.partitions = kept;
    for (const partition of given) shared.leaving.add(partition);
    void shared
      .onChange(kept)
      .then(() => this.#leases.release(given.map(partition => this.#leaseName(shared.consumer, partition))))
      .catch((error: unknown) => this.#options.logger.debug("partitions were not given back", error))
      .finally(() => {
        for (const partition of given) shared.leaving.delete(partition);
        if (given.length > 0) this.#lookSoon();
      });
  }

  /** The last node of a layout lets nodes of another one through at once. */
  async #leaveGates(consumer: string): Promise<void> {
    const own = [...this.#gates].filter(name => name.startsWith(`${consumer}/`));
    for (const name of own) this.#gates.delete(name);
    const others = this.#membersIn(await this.#seen()).get(consumer) ?? [];
    if (own.length === 0 || others.length > 0) return;
    const { knex } = this.#options.database;
    await knex("leases").whereIn("name", own).where("holder", layoutName(this.count)).update({ expires_at: 0 });
  }

  #leaseName = (consumer: string, partition: number): string => `${consumer}/${partitionName(partition, this.count)}`;
  #namesOf = (consumer: string): string[] => partitionNames(this.count).map(name => `${consumer}/${name}`);

  /** The name has the process of the holder, not all of it: with a host and a node it might be too long for its column. */
  #memberName(consumer: string): string {
    const [, , process, n] = this.#leases.holder.split("/");
    return `${MEMBER}${this.count}/${consumer}/${process}/${n}`;
  }
  #consumerOfMember(name: string): string | undefined {
    const prefix = `${MEMBER}${this.count}/`;
    return name.startsWith(prefix) ? name.slice(prefix.length).split("/").slice(0, -2).join("/") : undefined;
  }
}

/** A node below its share looks so many times as often. */
const HURRY = 5;

/** Begins the names of the leases by which nodes say that they take part in a consumer. */
const MEMBER = "member/";

export interface View {
  readonly me: string;
  /** The nodes that share the consumer. */
  readonly members: readonly string[];
  /** Holder of each partition; undefined where it is free. */
  readonly owners: readonly (string | undefined)[];
}
export interface Plan {
  /** Partitions that are due to this node. */
  readonly share: number;
  readonly take: readonly number[];
  readonly release: readonly number[];
}

/**
 * What a node takes and gives back. Shares differ by one at most: where the number of nodes does not divide that of the
 * partitions, the nodes that hold most now keep one more, so that nothing moves only to even out a tie.
 */
export function planOf({ me, members, owners }: View): Plan {
  const nodes = [...new Set([...members, me])];
  const heldBy = (node: string): number[] => owners.flatMap((owner, i) => (owner === node ? [i] : []));
  const ranked = nodes
    .map(node => ({ node, held: heldBy(node).length }))
    .sort((a, b) => b.held - a.held || (a.node < b.node ? -1 : 1));
  const rank = ranked.findIndex(({ node }) => node === me);
  const share = Math.floor(owners.length / nodes.length) + (rank < owners.length % nodes.length ? 1 : 0);
  const mine = heldBy(me);
  const free = owners.flatMap((owner, i) => (owner === undefined ? [i] : []));
  // Nodes begin at different ones, so that they do not all want the same.
  const first = free.length === 0 ? 0 : (fnv1a(me) >>> 0) % free.length;
  const wanted = [...free.slice(first), ...free.slice(0, first)];
  return { share, take: wanted.slice(0, Math.max(0, share - mine.length)), release: mine.slice(share) };
}
