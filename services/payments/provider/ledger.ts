// The provider's ledger: one entry for each idempotency key, kept for ever. An entry is on disk before it is answered.
//
// A void may come before its authorization. It then leaves an entry without amount, the tombstone, which refuses the
// authorization when that arrives: otherwise a request that was delayed on its way would charge a customer whose order
// has ended.
import { randomBytes } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { APPLICATION_ID } from "@valence/runtime/database";

const limits = {
  /** Milliseconds, and up to twice as many, until a batch is tried again after it met another writer. */
  busyMs: 1,
  /** Milliseconds that opening the file waits for others that open it: once, at the start. */
  openMs: 2_000,
};

export interface Authorization {
  /** Minor units. */
  readonly amount: number;
  /** ISO 4217. */
  readonly currency: string;
  readonly token: string;
}
/** `pending`: the customer still has to agree, at their bank. */
export type EntryStatus = "authorized" | "captured" | "voided" | "declined" | "pending";
/** In a tombstone `amount` and the fields below are null. */
export interface Entry {
  readonly key: string;
  readonly status: EntryStatus;
  readonly amount: number | null;
  readonly currency: string | null;
  readonly token: string | null;
  readonly authorizationId: string | null;
}
/** A refund: what was given back of the amount captured under `key`. */
export interface RefundEntry {
  readonly refundKey: string;
  readonly key: string;
  readonly amount: number;
}
type Work = { readonly run: () => void; readonly fail: (error: unknown) => void; readonly settle: () => void };

export class Ledger {
  readonly #database: DatabaseSync;
  #waiting: Work[] = [];
  #closed = false;

  constructor(filename: string) {
    this.#database = open(filename);
  }

  find(key: string): Entry | undefined {
    return this.#database.prepare("select * from entries where key = ?").get(key) as Entry | undefined;
  }

  /** Entries in the order of their keys, after `after`. */
  page(after: string, limit: number): Entry[] {
    const page = this.#database.prepare("select * from entries where key > ? order by key limit ?").all(after, limit);
    return page as unknown as Entry[];
  }

  /** Enters an authorization, granted or declined, unless the key has an entry. Answers the entry that is there now. */
  authorize(
    key: string,
    { amount, currency, token }: Authorization,
    status: "authorized" | "declined" | "pending",
    authorizationId: string,
  ): Promise<Entry> {
    return this.#commit(key, () =>
      this.#database
        .prepare("insert into entries values (?, ?, ?, ?, ?, ?) on conflict do nothing")
        .run(key, status, amount, currency, token, authorizationId),
    );
  }

  /** Captures an authorized amount. Answers the entry that is there now, if any. */
  capture(key: string): Promise<Entry | undefined> {
    return this.#commit(key, () =>
      this.#database.prepare("update entries set status = 'captured' where key = ? and status = 'authorized'").run(key),
    );
  }

  /** Voids an authorized amount, or leaves a tombstone. Answers the entry that is there now. */
  void(key: string): Promise<Entry> {
    return this.#commit(key, () =>
      this.#database
        .prepare(
          `insert into entries (key, status) values (?, 'voided')
           on conflict do update set status = 'voided' where status in ('authorized', 'pending')`,
        )
        .run(key),
    );
  }

  /** Enters the customer's answer to a pending authorization. Answers the entry that is there now, if any. */
  settle(key: string, status: "authorized" | "declined"): Promise<Entry | undefined> {
    return this.#commit(key, () =>
      this.#database.prepare("update entries set status = ? where key = ? and status = 'pending'").run(status, key),
    );
  }

  /** Keys of pending authorizations. */
  pending(): string[] {
    return this.#database
      .prepare("select key from entries where status = 'pending'")
      .all()
      .map(row => row["key"] as string);
  }

  /** Enters a refund, unless its key has one or more would be given back than was captured. */
  refund(key: string, refundKey: string, amount: number): Promise<Entry | undefined> {
    return this.#commit(key, () =>
      this.#database
        .prepare(
          `insert into refunds (refundKey, key, amount)
           select ?, key, ? from entries where key = ? and status = 'captured'
             and amount >= ? + (select coalesce(sum(amount), 0) from refunds where key = entries.key)
           on conflict do nothing`,
        )
        .run(refundKey, amount, key, amount),
    );
  }

  findRefund(refundKey: string): RefundEntry | undefined {
    return this.#database.prepare("select * from refunds where refundKey = ?").get(refundKey) as
      RefundEntry | undefined;
  }

  /** Minor units given back of a key. */
  refunded(key: string): number {
    const row = this.#database.prepare("select coalesce(sum(amount), 0) as amount from refunds where key = ?").get(key);
    return row!["amount"] as number;
  }

  /** The secret that signs webhooks: made once, and the same for all processes with this ledger. */
  secret(): string {
    this.#database
      .prepare("insert into settings values ('webhookSecret', ?) on conflict do nothing")
      .run(randomBytes(32).toString("base64url"));
    return this.#database.prepare("select value from settings where name = 'webhookSecret'").get()!["value"] as string;
  }

  close(): void {
    this.#closed = true;
    this.#flush();
    this.#database.close();
  }

  /** Requests of one turn of the loop share a transaction, and so its fsync. */
  #commit<E extends Entry | undefined>(key: string, write: () => void): Promise<E> {
    return new Promise<E>((resolve, reject) => {
      let entry: Entry | undefined;
      const run = (): void => {
        write();
        entry = this.find(key);
      };
      if (this.#waiting.push({ run, fail: reject, settle: () => resolve(entry as E) }) === 1)
        setImmediate(() => this.#flush());
    });
  }

  /** Waits with the loop running: several workers write this ledger, and SQLite's own wait would stop the loop. */
  #again(batch: Work[]): void {
    this.#waiting = [...batch, ...this.#waiting];
    setTimeout(() => this.#flush(), limits.busyMs * (1 + Math.random()));
  }

  #flush(): void {
    const batch = this.#waiting;
    this.#waiting = [];
    if (batch.length === 0) return;
    try {
      this.#database.exec("begin immediate");
    } catch (error) {
      if ((error as { errcode?: number }).errcode === SQLITE_BUSY && !this.#closed) return this.#again(batch);
      for (const { fail } of batch) fail(error);
      return;
    }
    try {
      for (const { run } of batch) run();
      this.#database.exec("commit");
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("rollback");
      for (const { fail } of batch) fail(error);
      return;
    }
    for (const { settle } of batch) settle();
  }
}

/** Another connection is writing. */
const SQLITE_BUSY = 5;

function open(filename: string): DatabaseSync {
  try {
    const database = new DatabaseSync(filename, { timeout: limits.openMs });
    database.exec(`
      pragma journal_mode = wal;
      pragma synchronous = full;
      pragma application_id = ${APPLICATION_ID};
      create table if not exists entries (
        key text primary key,
        status text not null,
        amount integer,
        currency text,
        token text,
        authorizationId text
      ) without rowid;
      create table if not exists refunds (
        refundKey text primary key,
        key text not null,
        amount integer not null
      ) without rowid;
      create index if not exists refunds_key on refunds (key);
      create table if not exists settings (name text primary key, value text not null) without rowid;
      pragma busy_timeout = 0;
    `);
    return database;
  } catch (error) {
    throw new Error(`${filename}: ${(error as Error).message}`, { cause: error });
  }
}
