// Folds a batch of events into rows in memory, so that a row is read and written once a batch, however many events
// touch it.
//
// Reading the rows one by one would cost a query each. So a batch is folded more than once: a row that is not in memory
// is answered as absent and noted, what was noted is read together, and the batch is folded again from the start. A fold
// that asked for nothing new is the result. Keys that depend on rows need a round each; after the last round whatever is
// still unknown is read singly.
import { plainError } from "../kernel/index.ts";
import type { Recorded } from "../contract/index.ts";
import type { Projection, Table } from "./define-projection.ts";
import type { Row, Shape } from "./shape.ts";

/** Rounds in which unknown rows are only noted. Two cover a key found in a row; more seldom pay. */
const ROUNDS = 3;

export type Load = (shape: Shape, keys: readonly string[]) => Promise<Row[]>;
export type FoldFailures = Map<string, { readonly event: Recorded; readonly error: unknown }>;
type Handler = (event: Recorded, tables: Record<string, Table<Row>>) => Promise<void>;

export class Fold {
  readonly tables: readonly MemoryTable[];
  readonly #byName: Record<string, MemoryTable>;
  readonly #handlers: Record<string, Handler | undefined>;

  constructor(projection: Projection, shapes: readonly Shape[], load: Load) {
    this.#handlers = projection.on as Record<string, Handler>;
    this.tables = shapes.map(shape => new MemoryTable(shape, load));
    this.#byName = Object.fromEntries(this.tables.map(table => [table.shape.table, table]));
  }

  /** Folds the batch. Answers, by stream, the first event whose handler threw; its own writes are undone. */
  async run(events: readonly Recorded[]): Promise<FoldFailures> {
    for (let round = 1; ; round++) {
      for (const table of this.tables) table.begin(round <= ROUNDS);
      const failures = await this.#round(events);
      const asked = await Promise.all(this.tables.map(table => table.loadMissed()));
      if (!asked.includes(true)) return failures;
    }
  }

  async #round(events: readonly Recorded[]): Promise<FoldFailures> {
    const failures: FoldFailures = new Map();
    for (const event of events) {
      const stream = `${event.actor}.${event.stream}`;
      if (failures.size > 0 && failures.has(stream)) continue;
      try {
        await this.#handlers[event.type]?.(event, this.#byName);
        for (const table of this.tables) table.keep();
      } catch (error) {
        for (const table of this.tables) table.undo();
        failures.set(stream, { event, error });
      }
      // A database that fails is no fault of the event: the whole batch fails and is repeated.
      for (const { broken } of this.tables) if (broken) throw broken.error;
    }
    return failures;
  }
}

export interface Changes {
  /** Rows of which it is not known what the table holds: mostly new ones. */
  readonly written: readonly Row[];
  /** Rows that were read, and the columns in which any of them has changed. */
  readonly updated: readonly Row[];
  readonly columns: ReadonlySet<string>;
  readonly removed: readonly string[];
}

export class MemoryTable implements Table<Row> {
  readonly shape: Shape;
  broken: { error: Error } | undefined;
  readonly #load: Load;
  /** Rows as the database has them; undefined = it has none. */
  readonly #stored = new Map<string, Row | undefined>();
  /** Rows as the events of this round have made them; undefined = removed. */
  #changed = new Map<string, Row | undefined>();
  #missed = new Set<string>();
  #noting = true;
  /** How to undo what the event at hand has written. */
  #before: { key: string; had: boolean; row: Row | undefined }[] = [];

  constructor(shape: Shape, load: Load) {
    this.shape = shape;
    this.#load = load;
  }

  async find(key: string): Promise<Row | undefined> {
    const row = this.#changed.has(key) ? this.#changed.get(key) : this.#stored.get(key);
    if (row !== undefined) return { ...row };
    if (this.#changed.has(key) || this.#stored.has(key)) return undefined;
    if (this.#noting) {
      this.#missed.add(key);
      return undefined;
    }
    await this.#read([key]);
    return this.find(key);
  }

  async upsert(row: Row): Promise<void> {
    this.shape.check(row);
    this.#set(row[this.shape.key] as string, { ...row });
  }

  async remove(key: string): Promise<void> {
    this.#set(key, undefined);
  }

  /** What to write after the last round. */
  changes(): Changes {
    const changes = { written: [] as Row[], updated: [] as Row[], columns: new Set<string>(), removed: [] as string[] };
    for (const [key, row] of this.#changed) {
      const stored = this.#stored.get(key);
      if (!row) changes.removed.push(key);
      else if (!stored) changes.written.push(row);
      else {
        changes.updated.push(row);
        for (const { name, kind } of this.shape.columns)
          if (kind === "json" || row[name] !== stored[name]) changes.columns.add(name);
      }
    }
    return changes;
  }

  begin(noting: boolean): void {
    this.#noting = noting;
    this.#changed = new Map();
    this.#before = [];
  }
  keep(): void {
    this.#before.length = 0;
  }
  undo(): void {
    for (const { key, had, row } of this.#before.reverse())
      if (had) this.#changed.set(key, row);
      else this.#changed.delete(key);
    this.#before.length = 0;
  }

  /** Reads what the round asked for; whether there was anything. */
  async loadMissed(): Promise<boolean> {
    if (this.#missed.size === 0) return false;
    const keys = [...this.#missed];
    this.#missed = new Set();
    await this.#read(keys);
    return true;
  }

  async #read(keys: readonly string[]): Promise<void> {
    try {
      for (const key of keys) this.#stored.set(key, undefined);
      for (const row of await this.#load(this.shape, keys))
        this.#stored.set(row[this.shape.key] as string, this.shape.decode(row));
    } catch (error) {
      this.broken = { error: error instanceof Error ? error : new Error(plainError(error).message) };
      throw error;
    }
  }

  #set(key: string, row: Row | undefined): void {
    this.#before.push({ key, had: this.#changed.has(key), row: this.#changed.get(key) });
    this.#changed.set(key, row);
  }
}
