// Folds a batch of events into rows in memory, so that a row is read and written once a batch, however many events
// touch it.
//
// Reading the rows one by one would cost a query each. So a batch is folded more than once: a row that is not in memory
// is answered as absent and noted, the noted rows are read together, and the batch is folded again from the start. A fold
// that asked for no new row is the result. Keys that depend on rows need a round each; after the last round, rows that are
// still unknown are read one by one.
//
// A handler is the author's code. An error of it, a row that the table cannot hold, a call after its end, and a handler that
// does not end are failures of its event alone: its writes are undone, and other streams go on. Events are frozen and rows are
// copies: a handler that changes either in place changes nothing, however often the batch is folded.
import { type Bug, deepFreeze, plainError, Unavailable } from "../kernel/index.ts";
import type { Recorded } from "../contract/index.ts";
import type { Projection, Table } from "./define-projection.ts";
import { PROJECTION_LIMITS } from "./limits.ts";
import type { Kept, Row, Shape } from "./shape.ts";
import { projectionErrors } from "./errors.ts";

/** Rounds in which unknown rows are only noted. Two cover a key that is found in a row; more are seldom needed. */
const ROUNDS = 3;

export type Load = (shape: Shape, keys: readonly string[]) => Promise<Row[]>;
/** As a consumer's `write` answers. */
export type FoldFailures = Map<
  string,
  { readonly event: Recorded; readonly error: unknown; readonly isPostponed?: boolean }
>;
type Handler = (event: Recorded, tables: Record<string, Table<Row>>) => Promise<void>;
type FoldLimits = Pick<typeof PROJECTION_LIMITS, "handlerMs" | "handlersHanging" | "handlerCalls">;

export class Fold {
  readonly tables: readonly MemoryTable[];
  readonly #projection: Projection;
  readonly #handlers: Record<string, Handler | undefined>;
  readonly #limits: FoldLimits;
  /** Events that fail without being handled again: their handler did not end, or went on after its end. */
  readonly #condemned = new Map<Recorded, Bug | Unavailable>();
  /** The handler call under way. A round that finds another one here, or none, was given up. */
  #call: HandlerCall | undefined;
  #hanging = 0;
  #endRound: () => void = () => {};

  constructor(projection: Projection, shapes: readonly Shape[], load: Load, limits: Partial<FoldLimits> = {}) {
    this.#projection = projection;
    this.#handlers = projection.on as Record<string, Handler>;
    this.#limits = { ...PROJECTION_LIMITS, ...limits };
    this.tables = shapes.map(shape => new MemoryTable(shape, load));
  }

  /** Folds the batch. Answers, by stream, the first event whose handler failed; its own writes are undone. */
  async run(events: readonly Recorded[]): Promise<FoldFailures> {
    for (let round = 1; ;) {
      for (const table of this.tables) table.begin(round <= ROUNDS);
      const condemned = this.#condemned.size;
      const failures = await this.#watched(events);
      const asked = await Promise.all(this.tables.map(table => table.loadMissed()));
      const isDone = failures !== undefined && !asked.includes(true) && this.#condemned.size === condemned;
      if (isDone) return failures;
      if (failures) round++;
    }
  }

  /** A round, or undefined: it is given up when a handler waits for something that is none of its tables. */
  async #watched(events: readonly Recorded[]): Promise<FoldFailures | undefined> {
    const { handlerMs } = this.#limits;
    let before: HandlerCall | undefined;
    // A call that is the same at two looks, and reads no table, hangs: reads of tables have time-outs of their own.
    const watch = setInterval(() => {
      const call = this.#call;
      if (call && call === before && !this.tables.some(table => table.isReading)) {
        this.#giveUp(call, projectionErrors.HANDLER_HANGS, `has not ended after ${handlerMs} ms`);
        if (++this.#hanging === this.#limits.handlersHanging) this.#putOff(events.slice(events.indexOf(call.event)));
      }
      before = call;
    }, handlerMs);
    try {
      const givenUp = new Promise<undefined>(resolve => (this.#endRound = () => resolve(undefined)));
      return await Promise.race([this.#round(events), givenUp]);
    } finally {
      clearInterval(watch);
    }
  }

  async #round(events: readonly Recorded[]): Promise<FoldFailures> {
    const failures: FoldFailures = new Map();
    for (const event of events) {
      const stream = `${event.actor}.${event.stream}`;
      if (failures.size > 0 && failures.has(stream)) continue;
      const condemned = this.#condemned.size > 0 ? this.#condemned.get(event) : undefined;
      if (condemned) failures.set(stream, { event, error: condemned, isPostponed: condemned instanceof Unavailable });
      const handler = condemned ? undefined : this.#handlers[event.type];
      if (!handler) continue;
      const call = (this.#call = new HandlerCall(event, this.tables, this.#limits.handlerCalls, this.#watcher));
      try {
        deepFreeze(event);
        await handler(event, call.handles);
        if (this.#call !== call) return failures;
        if (call.failure) throw call.failure.error;
        for (const table of this.tables) table.keep();
      } catch (error) {
        if (this.#call !== call) return failures;
        for (const table of this.tables) table.undo();
        failures.set(stream, { event, error });
      }
      call.isOver = true;
      // A failure of the database is not the event's: the whole batch fails and is repeated.
      for (const { broken } of this.tables) if (broken) throw broken.error;
    }
    this.#call = undefined;
    return failures;
  }

  readonly #watcher: CallWatcher = {
    late: call =>
      this.#condemn(
        call,
        projectionErrors.HANDLER_LATE,
        "reads or writes after its end: it has to await its reads and writes",
      ),
    endless: call => this.#giveUp(call, projectionErrors.HANDLER_ENDLESS, "reads and writes without end"),
  };

  #giveUp(call: HandlerCall, error: Condemning, what: string): void {
    call.isOver = true;
    this.#call = undefined;
    this.#condemn(call, error, what);
    this.#endRound();
  }

  #condemn({ event }: HandlerCall, error: Condemning, what: string): void {
    if (this.#condemned.has(event)) return;
    const { name } = this.#projection;
    const message = `projection ${name}: the handler of "${event.type}" ${what}`;
    this.#condemned.set(event, error({ message }));
  }

  /** Waiting for one more handler would take longer than a transaction may. The events are tried again by themselves. */
  #putOff(events: readonly Recorded[]): void {
    this.#hanging = 0;
    const error = projectionErrors.HANDLERS_HANG({ projection: this.#projection.name });
    for (const event of events) if (!this.#condemned.has(event)) this.#condemned.set(event, error);
  }
}

type Condemning = (typeof projectionErrors)["HANDLER_HANGS" | "HANDLER_LATE" | "HANDLER_ENDLESS"];

type CallWatcher = Record<"late" | "endless", (call: HandlerCall) => void>;

/** One call of a handler: its reads and writes count until it ends. */
class HandlerCall {
  readonly event: Recorded;
  readonly handles: Record<string, Table<Row>> = {};
  isOver = false;
  /** The first refusal of the tables, even if the handler did not wait for it, or caught it. */
  failure: { readonly error: unknown } | undefined;
  readonly #watcher: CallWatcher;
  #left: number;

  constructor(event: Recorded, tables: readonly MemoryTable[], calls: number, watcher: CallWatcher) {
    this.event = event;
    this.#left = calls;
    this.#watcher = watcher;
    for (const table of tables) this.handles[table.shape.table] = new Handle(table, this);
  }

  /** Whether the tables may be used. If not, the handler is never resumed: a loop that catches errors would not end. */
  mayGoOn(): boolean {
    if (this.isOver) this.#watcher.late(this);
    else if (--this.#left < 0) this.#watcher.endless(this);
    else return true;
    return false;
  }

  /** Fails the event. The rejection has a handler, so that it does not end the process when the author awaits nothing. */
  refuse(error: unknown): Promise<never> {
    this.failure ??= { error };
    return quietly(Promise.reject(error));
  }
}

/** A table as one call of a handler sees it. */
class Handle implements Table<Row> {
  readonly #table: MemoryTable;
  readonly #call: HandlerCall;
  constructor(table: MemoryTable, call: HandlerCall) {
    this.#table = table;
    this.#call = call;
  }

  find(key: string): Promise<Row | undefined> {
    if (!this.#call.mayGoOn()) return never();
    try {
      const row = this.#table.find(key);
      return row instanceof Promise ? quietly(row) : Promise.resolve(row);
    } catch (error) {
      return this.#call.refuse(error);
    }
  }

  upsert(row: Row): Promise<void> {
    if (!this.#call.mayGoOn()) return never();
    try {
      this.#table.upsert(row);
      return DONE;
    } catch (error) {
      return this.#call.refuse(error);
    }
  }

  remove(key: string): Promise<void> {
    if (!this.#call.mayGoOn()) return never();
    try {
      this.#table.remove(key);
      return DONE;
    } catch (error) {
      return this.#call.refuse(error);
    }
  }
}

const DONE = Promise.resolve();
const never = (): Promise<never> => new Promise(() => {});
function quietly<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

export interface Changes {
  /** Rows that were not read before: mostly new ones. */
  readonly written: readonly Kept[];
  /** Rows that were read and have changed, and the columns in which any of them has. */
  readonly updated: readonly Kept[];
  readonly columns: ReadonlySet<string>;
  readonly removed: readonly string[];
}

export class MemoryTable {
  readonly shape: Shape;
  broken: { error: Error } | undefined;
  readonly #load: Load;
  /** Rows as the database has them; undefined = it has none. */
  readonly #stored = new Map<string, Kept | undefined>();
  /** Rows as the events of this round have made them; undefined = removed. */
  #changed = new Map<string, Kept | undefined>();
  #missed = new Set<string>();
  #noting = true;
  #readsAtHand = 0;
  /** The values before the writes of the current event, to undo them. */
  #before: { key: string; had: boolean; row: Kept | undefined }[] = [];

  constructor(shape: Shape, load: Load) {
    this.shape = shape;
    this.#load = load;
  }

  get isReading(): boolean {
    return this.#readsAtHand > 0;
  }

  find(wanted: string): Row | undefined | Promise<Row | undefined> {
    const key = this.shape.keepKey(wanted);
    const row = this.#changed.has(key) ? this.#changed.get(key) : this.#stored.get(key);
    if (row !== undefined) return this.shape.give(row);
    if (this.#changed.has(key) || this.#stored.has(key)) return undefined;
    if (this.#noting) {
      this.#missed.add(key);
      return undefined;
    }
    return this.#read([key]).then(() => this.find(key));
  }

  upsert(row: Row): void {
    const kept = this.shape.keep(row);
    this.#set(kept[this.shape.key] as string, kept);
  }

  remove(key: string): void {
    this.#set(this.shape.keepKey(key), undefined);
  }

  /** The changes to write, after the last round. */
  changes(): Changes {
    const changes = {
      written: [] as Kept[],
      updated: [] as Kept[],
      columns: new Set<string>(),
      removed: [] as string[],
    };
    for (const [key, row] of this.#changed) {
      const stored = this.#stored.get(key);
      if (!row) changes.removed.push(key);
      else if (!stored) changes.written.push(row);
      else {
        const other = this.shape.names.filter(name => row[name] !== stored[name]);
        if (other.length > 0) changes.updated.push(row);
        for (const name of other) changes.columns.add(name);
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

  /** Reads the rows that the round has noted; answers whether there were any. */
  async loadMissed(): Promise<boolean> {
    if (this.#missed.size === 0) return false;
    const keys = [...this.#missed];
    this.#missed = new Set();
    await this.#read(keys);
    return true;
  }

  async #read(keys: readonly string[]): Promise<void> {
    this.#readsAtHand++;
    try {
      const rows = await this.#load(this.shape, keys);
      for (const key of keys) this.#stored.set(key, undefined);
      for (const row of rows) this.#stored.set(row[this.shape.key] as string, this.shape.decode(row));
    } catch (error) {
      this.broken = { error: error instanceof Error ? error : new Error(plainError(error).message) };
      throw error;
    } finally {
      this.#readsAtHand--;
    }
  }

  #set(key: string, row: Kept | undefined): void {
    this.#before.push({ key, had: this.#changed.has(key), row: this.#changed.get(key) });
    this.#changed.set(key, row);
  }
}
