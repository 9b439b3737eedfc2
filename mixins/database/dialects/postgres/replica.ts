// A standby for reads that may be a moment old. Whether it may be asked is decided by WAL positions, not by its word:
// at each look we note the primary's position and the time, then the standby's; it holds everything that was committed
// before the newest time whose position it has replayed. The age of its last transaction would not do: it grows while
// nothing happens, and is small on a standby that replays an hour-old backlog quickly.
//
// One that is behind by more than the limit, gone, or no standby at all (promoted, or the wrong server) is left out;
// looks go on, and it comes back by itself.
import { setTimeout as sleep } from "node:timers/promises";
import type { Knex } from "knex";

const limits = {
  /** Milliseconds between two looks. */
  lookMs: 200,
  /** Milliseconds that it may be behind. */
  lagMsMax: 2_000,
  /** Milliseconds that a look may take. */
  answerMs: 1_000,
};

/** Milliseconds that a replica is behind, at least; undefined when it cannot be asked. */
export type ReplicaObserver = (lagMs: number | undefined) => void;

/** Equal on a server and its standbys: positions in the WAL of two servers say nothing of each other. */
const SERVER = "(select system_identifier::text from pg_control_system()) as server";

interface Sample {
  readonly at: number;
  readonly position: bigint;
}

export class Replica {
  readonly knex: Knex;
  readonly #primary: Knex;
  readonly #observe: ReplicaObserver;
  readonly #timer: NodeJS.Timeout;
  /** Positions of the primary that the standby has not replayed yet, oldest first. */
  #ahead: Sample[] = [];
  /** Everything committed before this moment is there; monotonic milliseconds. */
  #holds = -Infinity;
  #isUsable = false;
  #looking: Promise<void> | undefined;

  constructor(knex: Knex, primary: Knex, observe: ReplicaObserver = () => {}) {
    this.knex = knex;
    this.#primary = primary;
    this.#observe = observe;
    // Reads of it fail before the next look finds out that it is gone.
    knex.on("query-error", (error: { type?: unknown }) => {
      if (error.type === "DATABASE_UNAVAILABLE") this.#isUsable = false;
    });
    this.#timer = setInterval(() => void this.look(), limits.lookMs).unref();
    void this.look();
  }

  /** Whether it holds what was committed before `since` (monotonic milliseconds) and is not too far behind. */
  holds(since: number): boolean {
    return this.#isUsable && this.#holds >= since && performance.now() - this.#holds < limits.lagMsMax;
  }

  look(): Promise<void> {
    return (this.#looking ??= this.#look().finally(() => (this.#looking = undefined)));
  }

  async #look(): Promise<void> {
    const at = performance.now();
    try {
      const [primary] = await rows(
        this.#primary,
        `select ${SERVER}, (pg_current_wal_insert_lsn() - '0/0')::text as position`,
      );
      this.#ahead.push({ at, position: BigInt(primary.position) });
      const [standby] = await rows(
        this.knex,
        `select ${SERVER}, pg_is_in_recovery() as is_standby, (coalesce(pg_last_wal_replay_lsn(), '0/0') - '0/0')::text as position`,
      );
      const replayed = BigInt(standby.position);
      const reached = this.#ahead.findLast(({ position }) => position <= replayed);
      if (reached) this.#holds = reached.at;
      this.#ahead = this.#ahead.filter(({ at }) => at > this.#holds && performance.now() - at < limits.lagMsMax);
      this.#isUsable = standby.is_standby && standby.server === primary.server;
    } catch {
      this.#isUsable = false;
    }
    this.#observe(this.#isUsable ? Math.max(0, at - this.#holds) : undefined);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    // A frozen server answers neither: reads of a standby may be given up.
    const late = sleep(limits.answerMs, undefined, { ref: false });
    await Promise.race([this.#looking, late]);
    await Promise.race([this.knex.destroy(), late]);
  }
}

async function rows(knex: Knex, sql: string): Promise<any[]> {
  return (await knex.raw(sql).timeout(limits.answerMs)).rows;
}
