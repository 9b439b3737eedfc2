// Changes that a network has to be told of, as rows: written in the transaction of the change, so that none is lost.
//
//   1. `note`: due in `delayMs`
//   2. `claim`: it belongs to one node for half a minute, which sends it
//   3. `sent`: due once more, in `againMs`; after that it is deleted. Or `postpone`, when the network did not take it
//
// A node that dies between 2 and 3 leaves rows that another sends again: at least once. Two nodes that claim the same row
// at the same moment both send it: a purge may come twice.
import type { Knex } from "knex";
import { surrogateKeyOf } from "../contract/index.ts";
import type { Database } from "../database/index.ts";
import { newId } from "../kernel/index.ts";
import { limits } from "./limits.ts";

/** Changes that one node tells the network of. */
export interface DuePurge {
  readonly claim: string;
  readonly keys: readonly string[];
  /** When the oldest of those that the network has not been told of was made; undefined when it has been told of all. */
  readonly changedAt: number | undefined;
}

interface Row {
  readonly id: string;
  readonly keys: string;
  readonly changed_at: number | string;
  readonly due_at: number | string;
  readonly rounds: number;
}

export class PurgeLog {
  readonly #database: Database;
  constructor(database: Database) {
    this.#database = database;
  }

  /** Writes down, in the transaction of a change, the tags of answers that it makes untrue. */
  async note(trx: Knex, tags: readonly string[]): Promise<void> {
    const now = await this.#database.now(trx);
    const keys = JSON.stringify([...new Set(tags)].map(surrogateKeyOf));
    await trx("cdn_purges").insert({ id: newId(), keys, changed_at: now, due_at: now + limits.delayMs });
  }

  /** When the next row is due, in milliseconds since the epoch; undefined when nothing waits. */
  async nextAt(): Promise<number | undefined> {
    const row: { due_at: number | string | null } | undefined = await this.#rows().min("due_at as due_at").first();
    return row?.due_at == null ? undefined : Number(row.due_at);
  }

  /** Takes the changes that are due, the oldest first; undefined for none. */
  async claim(now: number): Promise<DuePurge | undefined> {
    const claim = newId();
    const due = this.#rows().where("due_at", "<=", now).orderBy("due_at").limit(limits.changesMax).select("id");
    await this.#rows()
      .whereIn("id", due)
      .update({ claim, due_at: now + limits.leaseMs });
    const rows: Row[] = await this.#rows().where({ claim });
    if (rows.length === 0) return undefined;
    const untold = rows.filter(({ rounds }) => rounds === 0).map(({ changed_at }) => Number(changed_at));
    return {
      claim,
      keys: [...new Set(rows.flatMap(({ keys }) => JSON.parse(keys) as string[]))],
      changedAt: untold.length === 0 ? undefined : Math.min(...untold),
    };
  }

  /** The network has taken them. */
  async sent({ claim }: DuePurge, now: number): Promise<void> {
    await this.#rows().where({ claim, rounds: 1 }).delete();
    await this.#rows()
      .where({ claim, rounds: 0 })
      .update({ claim: null, rounds: 1, due_at: now + limits.againMs });
  }

  /** The network has not taken them: they are due again then. */
  async postpone({ claim }: DuePurge, dueAt: number): Promise<void> {
    await this.#rows().where({ claim }).update({ claim: null, due_at: dueAt });
  }

  /** Milliseconds since the oldest change that the network has not been told of; 0 for none. */
  async age(): Promise<number> {
    const row: { changed_at: number | string | null } | undefined = await this.#rows()
      .where({ rounds: 0 })
      .min("changed_at as changed_at")
      .first();
    return row?.changed_at == null ? 0 : Math.max(0, (await this.#database.now()) - Number(row.changed_at));
  }

  #rows(): Knex.QueryBuilder<any, any> {
    return this.#database.knex<Row>("cdn_purges");
  }
}
