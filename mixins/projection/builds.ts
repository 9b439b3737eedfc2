// The builds of one projection: physical tables with a consumer of their own. One is live; a pointer row says which.
//
//   building  reads the log from its start, beside the live one; resumes at its checkpoint after a crash
//   live      the one that is read; one row in `projections`
//   retired   replaced: kept and fed for a grace period, and for as long as nodes of its version run; then dropped
//
// Which build a node reads, by its own version and the live one's. A node's queries know only the columns of its own version:
// without a build of it, the node answers `NOT_CAUGHT_UP` and the caller asks another one.
//
//   node N,   live N      the live one
//   node N+1, live N      none until N+1 is live; nodes of N answer
//   node N+1, live N+1    the live one
//   node N,   live N+1    its own, retired and still fed (a roll-out that is not over, or a roll-back)
//
// A newer version becomes live when it has caught up. An older one, or a retired one, becomes live again only when no node
// feeds the live one any more: else nodes of two versions would take turns for ever.
//
// Guards P4 (each event exactly once, in stream order): all readers of a build, of several sources and partitions, on any
// node, hold the build's row while they read, fold and write. Locks are taken in one order: the row of the build, its tables,
// its checkpoints.
import type { Knex } from "knex";
import type { Database } from "../database/index.ts";
import { BOOKKEEPING } from "../database/siblings.ts";
import {
  forgetConsumer,
  isAtOrPast,
  presentRows,
  reachedBy,
  stoppedOf,
  type CheckpointRow,
} from "../stream/siblings.ts";
import { physicalName } from "./physical-name.ts";
import type { Shape } from "./shape.ts";

export interface Build {
  readonly version: number;
  readonly build: number;
  readonly tables: readonly string[];
  readonly state: "live" | "building" | "retired";
  /** Milliseconds since the epoch, the database's clock. */
  readonly retiredAt: number | undefined;
}
/** A stream that failed. One that is not parked is tried again by itself. */
interface Blocking {
  readonly stream: string;
  readonly isParked: boolean;
}
type BuildId = Pick<Build, "version" | "build">;

export const isSame = (a: BuildId, b: BuildId): boolean => a.version === b.version && a.build === b.build;
/** Name of a build's consumer: `loan-list@2`, its third build `loan-list@2.3`. */
export const consumerName = (name: string, { version, build }: BuildId): string =>
  `${name}@${version}${build > 1 ? `.${build}` : ""}`;
export { physicalName };

/** How far these rows have come in the partition of another row; with other partitions than that one's, all of them. */
function cursorAt(rows: readonly CheckpointRow[], { source, partition }: CheckpointRow): string {
  const own = rows.filter(row => row.source === source);
  return own.find(row => row.partition === partition)?.cursor ?? reachedBy(own);
}

/** Another node has dropped the build. The reader rolls back, and its node stops it at the next look. */
class Dropped extends Error {
  readonly retryable = true;
}

export class Builds {
  readonly #database: Database;
  readonly #name: string;
  readonly #shapes: readonly Shape[];

  constructor(database: Database, name: string, shapes: readonly Shape[]) {
    this.#database = database;
    this.#name = name;
    this.#shapes = shapes;
  }

  /** The newest last. */
  async all(knex: Knex = this.#database.knex): Promise<Build[]> {
    // One statement: between two, the pointer may move and the build that it named be dropped.
    const rows = await knex("projection_builds as b")
      .leftJoin("projections as p", "p.name", "b.name")
      .where("b.name", this.#name)
      .orderBy(["b.version", "b.build"])
      .select("b.version", "b.build", "b.tables", "b.retired_at", "p.version as liveVersion", "p.build as liveBuild");
    return rows.map(({ version, build, tables, retired_at, liveVersion, liveBuild }) => {
      const isLive = version === liveVersion && build === liveBuild;
      return {
        version,
        build,
        tables: JSON.parse(tables) as string[],
        retiredAt: retired_at === null ? undefined : Number(retired_at),
        state: isLive ? "live" : retired_at === null ? "building" : "retired",
      };
    });
  }

  /**
   * Keeps all other readers of the build waiting until the end of the transaction, in whatever process they run, so that no
   * row changes between its reading and its writing.
   * @throws Dropped
   */
  async hold(trx: Knex.Transaction, build: BuildId): Promise<void> {
    const row = trx("projection_builds").where(this.#key(build)).forUpdate().first("name");
    const held = await row.queryContext(BOOKKEEPING);
    if (!held)
      throw new Dropped(`projection ${this.#name}: build ${build.build} of version ${build.version} is dropped`);
  }

  /** Makes sure that there is a build of this version. The first of all is live at once. */
  ensure(version: number): Promise<Build[]> {
    return this.#alone(async trx => {
      const builds = await this.all(trx);
      if (builds.some(build => build.version === version)) return builds;
      await this.#add(trx, { version, build: 1 });
      if (builds.length === 0) await trx("projections").insert({ name: this.#name, version, build: 1 });
      return this.all(trx);
    });
  }

  /** A new build of this version beside the live one, unless there is one already: one at a time. */
  another(version: number): Promise<{ build: number; started: boolean }> {
    return this.#alone(async trx => {
      const builds = await this.all(trx);
      const running = builds.find(build => build.state === "building" && build.version === version);
      if (running && !(await this.#hasStopped(trx, running))) return { build: running.build, started: false };
      // It has read another log, and no query will read its rows.
      if (running) await this.#retire(trx, running, 0);
      const own = builds.filter(build => build.version === version).map(({ build }) => build);
      const build = Math.max(0, ...own) + 1;
      await this.#add(trx, { version, build });
      return { build, started: true };
    });
  }

  /** Streams that failed in a build and not in the live one, by name: until they are repaired, the live one is the better. */
  async blockedBy(next: BuildId, live: BuildId, knex: Knex = this.#database.knex): Promise<Blocking[]> {
    const [ours, theirs] = [consumerName(this.#name, next), consumerName(this.#name, live)];
    const aside = await knex("parked_streams").whereIn("consumer", [ours, theirs]).orderBy("actor_stream");
    const known = new Set(aside.filter(row => row.consumer === theirs).map(row => row.actor_stream));
    return aside
      .filter(row => row.consumer === ours && !known.has(row.actor_stream))
      .map(row => ({ stream: row.actor_stream, isParked: row.state === "parked" }));
  }

  /**
   * Makes a build the live one, in one transaction, if it is past the checkpoints of all builds that were ever read: a client
   * that has seen an event in their rows finds it in these. Refuses while `blockedBy` finds a stream.
   */
  switchTo(next: BuildId): Promise<boolean> {
    return this.#alone(async trx => {
      const builds = await this.all(trx);
      const live = builds.find(({ state }) => state === "live");
      const mine = builds.find(build => isSame(build, next));
      if (!live || !mine || !(await this.#mayReplace(trx, live, mine))) return false;
      // The readers of all builds wait until this transaction ends, and move no checkpoint meanwhile.
      await trx("projection_builds")
        .where({ name: this.#name })
        .orderBy(["version", "build"])
        .forUpdate()
        .select("name");
      const complete = builds.filter(build => build !== mine && build.state !== "building");
      const ours = consumerName(this.#name, next);
      const theirs = complete.map(build => consumerName(this.#name, build));
      const rows: CheckpointRow[] = await trx("checkpoints").whereIn("consumer", [ours, ...theirs]);
      const own = presentRows(rows.filter(row => row.consumer === ours));
      if (own.some(row => stoppedOf(row))) return false;
      for (const consumer of theirs)
        for (const row of presentRows(rows.filter(row => row.consumer === consumer)))
          // A checkpoint in another log cannot be compared: the head of this log when the live one stopped is taken instead.
          if (!isAtOrPast(cursorAt(own, row), stoppedOf(row)?.head ?? row.cursor)) return false;
      if ((await this.blockedBy(next, live, trx)).length > 0) return false;
      const { version, build } = next;
      await trx("projections").where({ name: this.#name }).update({ version, build });
      await trx("projection_builds").where(this.#key(next)).update({ retired_at: null });
      // Rows of another log are not kept for a roll-back.
      await this.#retire(trx, live, (await this.#hasStopped(trx, live)) ? 0 : undefined);
      // A build of an earlier version that no node feeds is not wanted any more.
      for (const other of builds)
        if (other.state === "building" && other.version < version && !(await this.#isFed(trx, other)))
          await this.#remove(trx, other);
      return true;
    });
  }

  async #mayReplace(trx: Knex.Transaction, live: Build, next: Build): Promise<boolean> {
    if (next.state === "building" && next.version >= live.version) return true;
    return next.version !== live.version && !(await this.#isFed(trx, live));
  }

  /** Whether a node of the build's version runs: its readers hold leases. */
  async #isFed(knex: Knex, build: BuildId): Promise<boolean> {
    const consumer = consumerName(this.#name, build);
    const lease = await knex("leases")
      .where("name", ">=", `${consumer}/`)
      .where("name", "<", `${consumer}0`)
      .where("expires_at", ">", await this.#database.now(knex))
      .first("name");
    return lease !== undefined;
  }

  /**
   * Drops a build that was replaced, with its tables and checkpoint; answers whether it did. Not while nodes of another
   * version than `ownVersion` feed it: they read it.
   */
  drop(build: BuildId, ownVersion: number): Promise<boolean> {
    return this.#alone(async trx => {
      const found = (await this.all(trx)).find(other => isSame(other, build));
      if (found?.state !== "retired") return false;
      if (found.version !== ownVersion && (await this.#isFed(trx, found))) return false;
      await this.#remove(trx, found);
      return true;
    });
  }

  /** One change at a time among all nodes: each reads the builds before it changes them. */
  #alone<T>(work: (trx: Knex.Transaction) => Promise<T>): Promise<T> {
    return this.#database.transaction(work, { lock: `projection/${this.#name}` });
  }

  async #add(trx: Knex.Transaction, id: BuildId): Promise<void> {
    const tables = this.#shapes.map(({ table }) => physicalName(this.#name, id, table));
    // It begins at the start of the log: an earlier build of this name may have left a checkpoint.
    await forgetConsumer(trx, consumerName(this.#name, id));
    await trx("projection_builds").insert({ ...this.#key(id), tables: JSON.stringify(tables), retired_at: null });
    for (const [i, shape] of this.#shapes.entries()) await shape.create(trx, tables[i]!);
  }

  async #remove(trx: Knex.Transaction, build: Build): Promise<void> {
    await trx("projection_builds").where(this.#key(build)).delete();
    for (const table of build.tables) await trx.schema.dropTableIfExists(table);
    await forgetConsumer(trx, consumerName(this.#name, build));
  }

  async #retire(trx: Knex.Transaction, id: BuildId, at?: number): Promise<void> {
    await trx("projection_builds")
      .where(this.#key(id))
      .update({ retired_at: at ?? (await this.#database.now(trx)) });
  }

  /** Whether one of its checkpoints is not in the log. */
  async #hasStopped(trx: Knex.Transaction, id: BuildId): Promise<boolean> {
    const places = await trx("checkpoints").where({ consumer: consumerName(this.#name, id) });
    return places.some(place => stoppedOf(place) !== undefined);
  }

  #key({ version, build }: BuildId): { name: string } & BuildId {
    return { name: this.#name, version, build };
  }
}
