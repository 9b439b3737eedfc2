// Keeps the audit of a service: signs checkpoints, copies them to the anchor, and removes what is past its retention. One node
// at a time does it. The order of effects makes a crash harmless at each step:
//
//   1. a checkpoint is made of records that were read and found right, their signatures included: what somebody has changed
//      since the last one is never signed. A second node that makes the same one finds its number taken.
//   2. its copy in the anchor is written once; a repetition finds it there.
//   3. retention first signs a checkpoint that says up to which earlier one records go, then removes them, as often as needed.
import type { Database } from "../database/index.ts";
import { Pause, plainError, rfc3339 } from "../kernel/index.ts";
import type { Anchor, Hashes } from "./anchor.ts";
import { auditErrors } from "./errors.ts";
import { checkpointOf, headsIn, linesIn, newestCheckpoint, recordsAfter } from "./lines.ts";
import type { AuditLimits } from "./limits.ts";
import type { TROUBLES } from "./metrics.ts";
import {
  checkpointHash,
  checkpointIn,
  readCheckpoint,
  type Checkpoint,
  type Head,
  type SignedCheckpoint,
  type SigningKey,
} from "./signing.ts";
import { verify } from "./verify.ts";

export interface KeeperOptions {
  readonly database: Database;
  readonly key: SigningKey;
  readonly anchor: Anchor | undefined;
  /** Milliseconds between two checkpoints while there are new records. */
  readonly everyMs: number;
  /** Milliseconds for which records are kept; undefined: for ever. */
  readonly keptMs: number | undefined;
  readonly limits: AuditLimits;
  /** Whether this node is to do the work. */
  readonly holds: () => Promise<boolean>;
  readonly logger: Record<"info" | "warn" | "error", (...message: unknown[]) => void>;
}

export interface KeeperStatus {
  readonly checkpoint: { readonly number: number; readonly at: string } | undefined;
  /** Checkpoints that the anchor does not have yet; undefined where there is no anchor. */
  readonly unanchored: number | undefined;
  readonly removedUpTo: number;
}

export interface Trouble {
  readonly reason: (typeof TROUBLES)[number];
  readonly says: string;
}

function troubleOf(error: unknown): Trouble {
  const { type, message: says } = plainError(error);
  const reason =
    type === auditErrors.AUDIT_BROKEN.code ? "broken" : type?.startsWith("AUDIT_ANCHOR") ? "anchor" : "other";
  return { reason, says };
}

export class Keeper {
  readonly #options: KeeperOptions;
  readonly #pause = new Pause();
  #stopping = false;
  #done: Promise<void> = Promise.resolve();
  /** Monotonic times. */
  #madeAt = -Infinity;
  #removedAt = -Infinity;
  #tellAt = -Infinity;
  /** Whether the newest checkpoint may be another key's: at a start with a new key. */
  #mayChangeKey = true;
  /** Number of the newest checkpoint that this process has seen. */
  #newest = 0;
  /** Why it signs or copies nothing at the moment, as far as this node has tried. */
  trouble: Trouble | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  start(): void {
    this.#done = this.#run();
  }
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#pause.end();
    await this.#done;
  }

  async status(): Promise<KeeperStatus> {
    const { anchor, database } = this.#options;
    const newest = await newestCheckpoint(database.knex);
    const [waiting] = await database.knex("audit_checkpoints").where({ anchored: 0 }).count({ n: "*" });
    const { number, at, removedUpTo = 0 }: Partial<Checkpoint> = (newest && readCheckpoint(newest)) ?? {};
    return {
      checkpoint: number === undefined ? undefined : { number, at: at! },
      unanchored: anchor && Number(waiting?.["n"]),
      removedUpTo,
    };
  }

  /** Milliseconds for which records have waited for a checkpoint: since the newest one, or none where nothing waits. */
  async waitingMs(): Promise<number> {
    const { database } = this.#options;
    const row = await database.knex("audit_checkpoints").orderBy("number", "desc").first();
    if (!row || sumOf(await headsIn(database.knex)) === sumOf(readCheckpoint(row)?.heads ?? [])) return 0;
    return Math.max(0, (await database.now()) - Number(row.at_ms));
  }

  async #run(): Promise<void> {
    const { limits, logger, holds } = this.#options;
    while (!this.#stopping) {
      try {
        if (await holds()) await this.#turn();
        this.trouble = undefined;
      } catch (error) {
        this.trouble = troubleOf(error);
        if (performance.now() >= this.#tellAt) {
          this.#tellAt = performance.now() + limits.tellMs;
          logger.error(`audit: ${this.trouble.says}`);
        }
      }
      if (!this.#stopping) await this.#pause.wait(limits.lookMs);
    }
  }

  async #turn(): Promise<void> {
    const { anchor, keptMs, limits } = this.#options;
    if (await this.#isDue()) await this.checkpoint();
    if (anchor) await this.copy();
    if (keptMs === undefined || performance.now() < this.#removedAt + limits.removeEveryMs) return;
    await this.remove();
    this.#removedAt = performance.now();
  }

  async #isDue(): Promise<boolean> {
    const { database, everyMs, key, limits } = this.#options;
    const newest = await newestCheckpoint(database.knex);
    const last = newest && checkpointIn(newest);
    if (last && last.key !== key.id) return true;
    const records = sumOf(await headsIn(database.knex)) - sumOf(last?.heads ?? []);
    return records > limits.recordsPerCheckpoint || (records !== 0 && performance.now() >= this.#madeAt + everyMs);
  }

  /**
   * Signs where the partitions stand. Does nothing when no record is new.
   * @throws Bug `AUDIT_BROKEN` when records since the last checkpoint are not as they were written.
   */
  async checkpoint(removedUpTo?: number): Promise<Checkpoint | undefined> {
    const { database, key, logger } = this.#options;
    const before = await newestCheckpoint(database.knex);
    const last = before && checkpointIn(before);
    if ((last?.number ?? 0) < this.#newest)
      throw auditErrors.AUDIT_BROKEN({ reason: `checkpoint ${this.#newest} is gone` });
    const isOthers = last !== undefined && last.key !== key.id;
    if (isOthers && this.#mayChangeKey) logger.warn(`audit: key ${key.id} signs from now on, after ${last.key}`);
    const { ok, heads, faults } = await verify(linesIn(database.knex, last?.number), {
      since: last?.number,
      trusted: isOthers && this.#mayChangeKey ? undefined : [key.publicPem],
    });
    if (!ok)
      throw auditErrors.AUDIT_BROKEN({
        reason: faults.map(({ says, ...at }) => `${says} ${JSON.stringify(at)}`).join("; "),
      });
    this.#mayChangeKey = false;
    this.#madeAt = performance.now();
    if (last && !isOthers && removedUpTo === undefined && sumOf(heads) === sumOf(last.heads)) return undefined;
    const now = await database.now();
    const number = (last?.number ?? 0) + 1;
    const signed = key.signCheckpoint({
      number,
      at: rfc3339(now),
      previous: before ? checkpointHash(before) : "",
      heads,
      removedUpTo: removedUpTo ?? last?.removedUpTo ?? 0,
      keys: [...new Set([...(last?.keys ?? []), key.id])],
    });
    const row = { number, ...signed, at_ms: now };
    const made = await database.knex("audit_checkpoints").insert(row).onConflict("number").ignore().returning("number");
    // The lease has ended meanwhile, on a busy machine, and its next holder was faster: its checkpoint says the same or more.
    if (made.length === 0) return undefined;
    this.#newest = number;
    return checkpointIn(signed);
  }

  /** Copies checkpoints to the anchor, in their order. */
  async copy(): Promise<void> {
    const { anchor, database, limits } = this.#options;
    const { knex } = database;
    const rows = await knex("audit_checkpoints").where({ anchored: 0 }).orderBy("number").limit(limits.anchoredAtOnce);
    for (const { number, text, signature } of rows) {
      const signed = { text, signature };
      const { public_key: publicKey } = await knex("audit_keys")
        .where({ id: checkpointIn(signed).key })
        .first();
      const hashes = await this.#hashesFor(signed);
      await anchor!.put({ signed, checkpoint: checkpointIn(signed), publicKey, hashes });
      await knex("audit_checkpoints").where({ number }).update({ anchored: 1 });
    }
  }

  /** Hashes of the records since the checkpoint before. */
  async #hashesFor(signed: SignedCheckpoint): Promise<Hashes[]> {
    const { knex } = this.#options.database;
    const { number, heads, removedUpTo } = checkpointIn(signed);
    const before = await checkpointOf(knex, number - 1);
    const from = before ? checkpointIn(before).heads : [];
    const found: Hashes[] = [];
    for (const { partition, seq, hash } of heads) {
      const after = from.find(head => head.partition === partition)?.seq ?? 0;
      if (after === seq || number <= removedUpTo) continue;
      const hashes: string[] = [];
      for await (const record of recordsAfter(knex, partition, after, seq)) hashes.push(record.hash);
      if (hashes.length !== seq - after || hashes.at(-1) !== hash)
        throw auditErrors.AUDIT_BROKEN({ reason: `partition ${partition} is not as checkpoint ${number} says` });
      found.push({ partition, from: after + 1, hashes });
    }
    return found;
  }

  /** Removes records of which the newest checkpoint that is old enough, and copied, vouches for the end. */
  async remove(): Promise<number> {
    const { anchor, database, keptMs, limits, logger } = this.#options;
    const { knex } = database;
    const old = await knex("audit_checkpoints")
      .where("at_ms", "<=", (await database.now()) - keptMs!)
      .modify(query => void (anchor && query.where({ anchored: 1 })))
      .orderBy("number", "desc")
      .first();
    const newest = await newestCheckpoint(knex);
    let removedUpTo = newest ? checkpointIn(newest).removedUpTo : 0;
    if (old && Number(old.number) > removedUpTo) {
      removedUpTo = Number(old.number);
      await this.checkpoint(removedUpTo);
    }
    const kept = await checkpointOf(knex, removedUpTo);
    if (!kept) return 0;
    let removed = 0;
    for (const { partition, seq } of checkpointIn(kept).heads) {
      const [first] = await knex("audit_records").where({ partition }).min({ seq: "seq" });
      // In steps, so that writers do not wait for long.
      for (let through = Number(first?.["seq"] ?? seq + 1) - 1; through < seq;) {
        through = Math.min(seq, through + limits.removedAtOnce);
        removed += await knex("audit_records").where({ partition }).where("seq", "<=", through).delete();
      }
    }
    await knex("audit_checkpoints").where("number", "<", removedUpTo).delete();
    if (removed > 0) logger.info(`audit: ${removed} records up to checkpoint ${removedUpTo} were removed`);
    return removed;
  }
}

const sumOf = (heads: readonly Head[]): number => heads.reduce((total, { seq }) => total + seq, 0);
