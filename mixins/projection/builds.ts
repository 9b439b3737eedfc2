// The builds of one projection: physical tables with a consumer of their own. One is live; a pointer row says which.
//
//   building  reads the log from its start, beside the live one; resumes at its checkpoint after a crash
//   live      what is read; one row in `projections`
//   retired   replaced: kept and fed for a grace period, then dropped
import type { Knex } from "knex";
import type { Database } from "../database/index.ts";
import { isAtOrPast, stoppedOf } from "../stream/index.ts";
import type { Shape } from "./shape.ts";

export interface Build {
  readonly version: number;
  readonly build: number;
  readonly tables: readonly string[];
  readonly state: "live" | "building" | "retired";
  /** Milliseconds since the epoch, the database's clock. */
  readonly retiredAt: number | undefined;
}
/** A stream aside; one that is not parked is tried again by itself. */
interface Blocking {
  readonly stream: string;
  readonly isParked: boolean;
}
type BuildId = Pick<Build, "version" | "build">;

export const isSame = (a: BuildId, b: BuildId): boolean => a.version === b.version && a.build === b.build;
/** Name of a build's consumer: `order-list@2`, its third build `order-list@2.3`. */
export const consumerName = (name: string, { version, build }: BuildId): string =>
  `${name}@${version}${build > 1 ? `.${build}` : ""}`;
export const physicalName = (name: string, { version, build }: BuildId, table: string): string =>
  `${name}_v${version}${build > 1 ? `_b${build}` : ""}_${table}`.replaceAll(/\W/g, "_");

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
    const pointer = await knex("projections").where({ name: this.#name }).first();
    const rows = await knex("projection_builds").where({ name: this.#name }).orderBy(["version", "build"]);
    return rows.map(({ version, build, tables, retired_at }) => ({
      version,
      build,
      tables: JSON.parse(tables) as string[],
      retiredAt: retired_at === null ? undefined : Number(retired_at),
      state: pointer && isSame(pointer, { version, build }) ? "live" : retired_at === null ? "building" : "retired",
    }));
  }

  /** Makes sure that there is a build of this version. The first of all is live at once. */
  ensure(version: number): Promise<Build[]> {
    return this.#alone(async trx => {
      const builds = await this.all(trx);
      if (builds.some(build => build.version === version)) return builds;
      await this.#add(trx, { version, build: 1 });
      if (builds.length === 0) await trx("projections").insert({ name: this.#name, version, build: 1 });
      // What was being built for a version before this one is wanted no more.
      for (const { version, build, state } of builds)
        if (state === "building") await this.#retire(trx, { version, build });
      return this.all(trx);
    });
  }

  /** A new build of this version beside the live one, unless there is one already: one at a time. */
  another(version: number): Promise<{ build: number; started: boolean }> {
    return this.#alone(async trx => {
      const builds = await this.all(trx);
      const running = builds.find(build => build.state === "building" && build.version === version);
      if (running && !(await this.#hasStopped(trx, running))) return { build: running.build, started: false };
      // What it has read is of another log: nobody will read its rows.
      if (running) await this.#retire(trx, running, 0);
      const own = builds.filter(build => build.version === version).map(({ build }) => build);
      const build = Math.max(0, ...own) + 1;
      await this.#add(trx, { version, build });
      return { build, started: true };
    });
  }

  /** Streams that a build had to set aside and the live one holds, oldest name first: until they are repaired it is no improvement. */
  async blockedBy(next: BuildId, live: BuildId, knex: Knex = this.#database.knex): Promise<Blocking[]> {
    const [ours, theirs] = [consumerName(this.#name, next), consumerName(this.#name, live)];
    const aside = await knex("parked_streams").whereIn("consumer", [ours, theirs]).orderBy("actor_stream");
    const known = new Set(aside.filter(row => row.consumer === theirs).map(row => row.actor_stream));
    return aside
      .filter(row => row.consumer === ours && !known.has(row.actor_stream))
      .map(row => ({ stream: row.actor_stream, isParked: row.state === "parked" }));
  }

  /**
   * Makes a build the live one, in one transaction, if it has passed the live one's place in every log: who has seen an
   * event in the old rows finds it in the new ones. Nothing may block it.
   */
  switchTo(next: Build): Promise<boolean> {
    return this.#alone(async trx => {
      const live = (await this.all(trx)).find(({ state }) => state === "live");
      if (!live || isSame(live, next)) return false;
      const [ours, theirs] = [consumerName(this.#name, next), consumerName(this.#name, live)];
      const places = await trx("checkpoints").whereIn("consumer", [ours, theirs]).forUpdate();
      const cursors = new Map(places.map(row => [`${row.consumer}/${row.source}/${row.partition}`, row.cursor]));
      for (const place of places) {
        const { consumer, source, partition } = place;
        if (consumer === ours) {
          if (stoppedOf(place)) return false;
          continue;
        }
        // A place in another log says nothing of this one: then what this log had when the live one stopped has to do.
        const reached = stoppedOf(place)?.head ?? place.cursor;
        if (!isAtOrPast(cursors.get(`${ours}/${source}/${partition}`) ?? "", reached)) return false;
      }
      if ((await this.blockedBy(next, live, trx)).length > 0) return false;
      const { version, build } = next;
      await trx("projections").where({ name: this.#name }).update({ version, build });
      // Nobody goes back to rows of another log.
      await this.#retire(trx, live, (await this.#hasStopped(trx, live)) ? 0 : undefined);
      return true;
    });
  }

  async drop(build: Build): Promise<void> {
    await this.#database.transaction(async trx => {
      await trx("projection_builds").where(this.#key(build)).delete();
      for (const table of build.tables) await trx.schema.dropTableIfExists(table);
    });
  }

  /** One change at a time, whoever makes it: each goes by what it finds. */
  #alone<T>(work: (trx: Knex.Transaction) => Promise<T>): Promise<T> {
    return this.#database.transaction(work, { lock: `projection/${this.#name}` });
  }

  async #add(trx: Knex.Transaction, id: BuildId): Promise<void> {
    const tables = this.#shapes.map(({ table }) => physicalName(this.#name, id, table));
    await trx("projection_builds").insert({ ...this.#key(id), tables: JSON.stringify(tables), retired_at: null });
    for (const [i, shape] of this.#shapes.entries()) await shape.create(trx, tables[i]!);
  }

  async #retire(trx: Knex.Transaction, id: BuildId, at?: number): Promise<void> {
    await trx("projection_builds")
      .where(this.#key(id))
      .update({ retired_at: at ?? (await this.#database.now(trx)) });
  }

  /** Whether one of its places is not in the log. */
  async #hasStopped(trx: Knex.Transaction, id: BuildId): Promise<boolean> {
    const places = await trx("checkpoints").where({ consumer: consumerName(this.#name, id) });
    return places.some(place => stoppedOf(place) !== undefined);
  }

  #key({ version, build }: BuildId): { name: string } & BuildId {
    return { name: this.#name, version, build };
  }
}
