// Shares out work among the nodes of a service: consumers, the sagas that they start, timers. Each work is divided into the
// partitions of partitions.ts, and a lease each says which node has a partition of it. A consumer has the same partitions in
// the logs of all its sources: what it may do for one stream does not depend on the log's owner, and a lease for each source
// would be so many times the statements.
//
// A node's turn, every `lookMs` and at once when something has changed:
//   1. renew what it holds, all in one statement, from a third of the length on.
//   2. read all leases. Those of the members tell how many nodes share a work, those of the partitions which has what.
//   3. take free partitions up to its share, and give back what it has beyond it: what is at hand there is finished
//      first. Nothing else moves, so that a node that comes or goes costs the others as little as can be.
//
// Work may have a gate: a lease that the nodes that count alike hold together, so that nodes of another number of
// partitions, and of a release that did the work on one node under that lease, take turns with them.
//
// A node that is cut off from the bus but not from the database could read no other service's log and call nobody, and would
// keep its partitions by renewing them. It is no member meanwhile, and after a lease's length it gives its partitions to the
// nodes that are. Where all nodes are cut off none is a member, and each goes on with what it has.
//
// Leases only save work. Every effect is guarded where it is written, by the revisions of checkpoints, the version of a
// journal or a command id, so two nodes that believe to hold one partition do no harm.
import { fnv1a, Pause } from "../../kernel/index.ts";
import type { Database } from "../../database/index.ts";
import type { StreamLimits } from "../limits.ts";
import { Leases, nodeOf, type SeenLease } from "./leases.ts";
import { layoutName, partitionName, partitionNames } from "./partitions.ts";

/** Told the partitions that the node holds from now on. Resolves when it works on no other one any more. */
export type OnChange = (partitions: ReadonlySet<number>) => Promise<void>;
type ShareLimits = Pick<StreamLimits, "leaseMs" | "lookMs">;

interface Shared {
  readonly work: string;
  readonly limits: ShareLimits;
  readonly onChange: OnChange;
  readonly gate: string | undefined;
  /** Names of the gates that this node keeps: its own, and those through which readers have gone (gate.ts). */
  readonly gates: Set<string>;
  partitions: ReadonlySet<number>;
  /** Given back as soon as what is at hand is over. */
  readonly leaving: Set<number>;
}

export interface SharesOptions {
  readonly database: Database;
  readonly nodeId: string;
  /** Number of partitions. */
  readonly count: number;
  readonly limits: ShareLimits;
  readonly logger: Record<"debug", (...message: unknown[]) => void>;
  /** Begins to tell which nodes are lost and found; returns the function that ends it. Called while there is work. */
  readonly watch?: (shares: Shares) => () => void;
  /** Whether this node is connected to the bus at the moment. Left out: always. */
  readonly isConnected?: () => boolean;
}

export class Shares {
  readonly count: number;
  readonly #options: SharesOptions;
  readonly #leases: Leases;
  readonly #works = new Map<string, Shared>();
  readonly #pause = new Pause();
  #running: Promise<void> | undefined;
  /** The turn at hand. */
  #turn: Promise<unknown> = Promise.resolve();
  /** Something has changed since the last turn began. */
  #isAsked = false;
  #renewedAt = -Infinity;
  /** Monotonic time of the first turn since which the node has had no connection to the bus; undefined while it has one. */
  #cutOffAt: number | undefined;
  /** Until this monotonic time a node below its share looks more often. */
  #hurriesUntil = -Infinity;

  constructor(options: SharesOptions) {
    this.#options = options;
    this.count = options.count;
    this.#leases = new Leases(options.database, options.nodeId);
  }

  /** Takes part in a work from now on; with `gate`, while the nodes that count as this one have that lease. */
  add(work: string, limits: ShareLimits, onChange: OnChange, gate?: string): void {
    const gates = new Set<string>();
    this.#works.set(work, { work, limits, onChange, gate, gates, partitions: new Set(), leaving: new Set() });
    this.#lookSoon();
    this.#running ??= this.#run();
  }

  /** Leaves a work to the other nodes, when what is at hand is over. After the last one no statement is made any more. */
  async remove(work: string): Promise<void> {
    const shared = this.#works.get(work);
    if (!shared) return;
    this.#works.delete(work);
    const isGone = shared.onChange(new Set());
    try {
      // A turn that still counted on it takes nothing after this.
      await this.#turn;
      await this.#leases.release([this.#memberName(work)]);
      await isGone;
      await this.#leases.release(this.#namesOf(work));
      await this.#leaveGates(shared);
    } catch (error) {
      this.#options.logger.debug(`the share of ${work} was not given back`, error);
    }
    if (this.#works.size > 0) return;
    this.#pause.end();
    await this.#running;
  }

  /** From now on the gate is kept, as long as the node takes part in the work. */
  keepGate(work: string, gate: string): void {
    this.#works.get(work)?.gates.add(gate);
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

  /** Ids of the nodes that hold the partitions of a work, by partition; undefined where one is free. */
  async owners(work: string): Promise<(string | undefined)[]> {
    const seen = await this.#seen();
    return this.#namesOf(work).map(name => {
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
    const all = [this.#options.limits, ...[...this.#works.values()].map(({ limits }) => limits)];
    return {
      leaseMs: Math.min(...all.map(({ leaseMs }) => leaseMs)),
      lookMs: Math.min(...all.map(({ lookMs }) => lookMs)),
    };
  }

  async #run(): Promise<void> {
    const endWatch = this.#options.watch?.(this);
    while (this.#works.size > 0) {
      this.#isAsked = false;
      const turn = this.#look().catch((error: unknown) => {
        this.#options.logger.debug("the shares of the nodes were not looked at", error);
        return false;
      });
      this.#turn = turn;
      const isBelow = await turn;
      if (this.#works.size === 0 || this.#isAsked) continue;
      const { lookMs } = this.#limits();
      await this.#pause.wait(isBelow && performance.now() < this.#hurriesUntil ? lookMs / HURRY : lookMs);
    }
    this.#running = undefined;
    endWatch?.();
  }

  /** One turn. Answers whether the node is still below its share of any work. */
  async #look(): Promise<boolean> {
    this.#cutOffAt = (this.#options.isConnected?.() ?? true) ? undefined : (this.#cutOffAt ?? performance.now());
    await this.#renew();
    const seen = await this.#passGates(await this.#seen());
    const { open = [], closed = [] } = Object.groupBy(this.#works.values(), ({ gate }) =>
      gate === undefined || this.#isOurs(seen.get(gate)) ? "open" : "closed",
    );
    const members = this.#membersIn(seen);
    if (this.#cutOffAt === undefined) await this.#enlist(open, seen);
    else await this.#leases.release([...this.#works.keys()].map(work => this.#memberName(work)));
    const plans = open.map(shared => ({ shared, plan: this.#plan(shared, members.get(shared.work) ?? [], seen) }));
    const wanted = plans.flatMap(({ shared: { work }, plan }) => plan.take.map(p => this.#leaseName(work, p)));
    await this.#leases.take(wanted, seen, this.#limits().leaseMs);
    const after = wanted.length === 0 ? seen : await this.#seen();
    for (const { shared, plan } of plans) this.#change(shared, this.#heldIn(after, shared), plan.release);
    for (const shared of closed) {
      const held = this.#heldIn(after, shared);
      this.#change(shared, held, [...held]);
    }
    return plans.some(({ shared, plan }) => shared.partitions.size < plan.share);
  }

  #plan(shared: Shared, members: readonly string[], seen: ReadonlyMap<string, SeenLease>): Plan {
    const me = this.#leases.holder;
    const others = members.filter(member => member !== me);
    if (this.#cutOffAt === undefined || others.length === 0)
      return planOf({ me, members, owners: this.#ownersOf(shared, seen) });
    // The others may be cut off as well, and only find it out later.
    const isOver = performance.now() - this.#cutOffAt > this.#limits().leaseMs;
    return { share: 0, take: [], release: isOver ? [...this.#heldIn(seen, shared)] : [] };
  }

  // ---- gates

  #isOurs = (gate: SeenLease | undefined): boolean => gate?.holder === layoutName(this.count);

  /** Takes the gates that are free. Answers the leases as they are then. */
  async #passGates(seen: Map<string, SeenLease>): Promise<Map<string, SeenLease>> {
    const gates = new Set([...this.#works.values()].flatMap(({ gate }) => gate ?? []));
    const free = [...gates].filter(gate => !this.#isOurs(seen.get(gate)) && !seen.get(gate)?.isHeld);
    if (free.length > 0) {
      await this.#leases.take(free, seen, this.#limits().leaseMs, layoutName(this.count));
      seen = await this.#seen();
    }
    for (const { gate, gates } of this.#works.values()) {
      if (gate === undefined) continue;
      if (this.#isOurs(seen.get(gate))) gates.add(gate);
      else gates.delete(gate);
    }
    return seen;
  }

  /** The last node of a layout lets nodes of another one through at once. */
  async #leaveGates({ work, gates }: Shared): Promise<void> {
    const others = this.#membersIn(await this.#seen()).get(work) ?? [];
    if (gates.size === 0 || others.length > 0) return;
    const { knex } = this.#options.database;
    await knex("leases")
      .whereIn("name", [...gates])
      .where("holder", layoutName(this.count))
      .update({ expires_at: 0 });
  }

  // ---- leases

  async #renew(): Promise<void> {
    const { leaseMs } = this.#limits();
    const now = performance.now();
    if (now - this.#renewedAt < leaseMs / 3) return;
    const names = [...this.#works.values()].flatMap(({ gates }) => [...gates]);
    await this.#leases.renew(leaseMs, { holder: layoutName(this.count), names });
    this.#renewedAt = now;
  }

  async #seen(): Promise<Map<string, SeenLease>> {
    return new Map((await this.#leases.all()).map(lease => [lease.name, lease]));
  }

  /** The live members of each work. Those of dead nodes are removed, so that they do not pile up. */
  #membersIn(seen: ReadonlyMap<string, SeenLease>): Map<string, string[]> {
    const members = new Map<string, string[]>();
    for (const { name, holder, isHeld } of seen.values()) {
      const work = this.#workOfMember(name);
      if (work !== undefined && isHeld) members.set(work, [...(members.get(work) ?? []), holder]);
    }
    return members;
  }

  async #enlist(works: readonly Shared[], seen: ReadonlyMap<string, SeenLease>): Promise<void> {
    const missing = works
      .map(({ work }) => this.#memberName(work))
      .filter(name => seen.get(name)?.holder !== this.#leases.holder);
    await this.#leases.take(missing, seen, this.#limits().leaseMs);
    const dead = [...seen.values()].filter(
      ({ name, holder, isHeld }) => name.startsWith(MEMBER) && !isHeld && holder !== this.#leases.holder,
    );
    await this.#leases.remove(dead);
  }

  #ownersOf({ work, leaving }: Shared, seen: ReadonlyMap<string, SeenLease>): (string | undefined)[] {
    return Array.from({ length: this.count }, (_, partition) => {
      const { holder, isHeld = false } = seen.get(this.#leaseName(work, partition)) ?? {};
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
    if (this.#works.get(shared.work) !== shared) return;
    const kept = held.difference(new Set(release));
    const given = [...held.difference(kept)];
    if (kept.size === shared.partitions.size && kept.isSubsetOf(shared.partitions) && given.length === 0) return;
    shared.partitions = kept;
    for (const partition of given) shared.leaving.add(partition);
    void shared
      .onChange(kept)
      .then(() => this.#leases.release(given.map(partition => this.#leaseName(shared.work, partition))))
      .catch((error: unknown) => this.#options.logger.debug("partitions were not given back", error))
      .finally(() => {
        for (const partition of given) shared.leaving.delete(partition);
        if (given.length > 0) this.#lookSoon();
      });
  }

  #leaseName = (work: string, partition: number): string => `${work}/${partitionName(partition, this.count)}`;
  #namesOf = (work: string): string[] => partitionNames(this.count).map(name => `${work}/${name}`);

  /** The name has the process of the holder, not all of it: with a host and a node it might be too long for its column. */
  #memberName(work: string): string {
    const [, , process, n] = this.#leases.holder.split("/");
    return `${MEMBER}${this.count}/${work}/${process}/${n}`;
  }
  #workOfMember(name: string): string | undefined {
    const prefix = `${MEMBER}${this.count}/`;
    return name.startsWith(prefix) ? name.slice(prefix.length).split("/").slice(0, -2).join("/") : undefined;
  }
}

/** A node below its share looks so many times as often. */
const HURRY = 5;

/** Begins the names of the leases by which nodes say that they take part in a work. */
const MEMBER = "member/";

export interface View {
  readonly me: string;
  /** The nodes that share the work. */
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
