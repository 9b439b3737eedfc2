// Public answers of actions, in the memory of one gateway. Guards against answers that hide a change:
//
//   1. An invalidation drops every entry with one of its tags.
//   2. A fill that began before it does not store: it may have read the old state. The tags of a fill are known only at
//      its end, so each invalidation is remembered longer than a fill may take.
//   3. A fill that begins right after it does not store either. The message reaches the nodes one after another, and a
//      service may answer from a cache or a standby that has not heard of the change yet.
//   4. A request that has joined a fill does not take an answer that such a change has overtaken, and asks anew.
//   5. Messages get lost. So an entry has an end, and all entries go when a node or the bus comes or goes.
//
//        request ──► fresh: answer                  fill begun ─────► read ─────► stored? not with an
//                    stale: answer, and refresh          invalidation of one of its tags in between,
//                    else:  join the fill, or begin it   or less than `cacheSettleMs` before it began
import { LRUCache } from "lru-cache";
import { isRefusal, type Clock } from "../../kernel/index.ts";
import type { Answer } from "../exchange.ts";
import { limits } from "../limits.ts";

/** An answer that a fill brings. */
export interface Filled {
  readonly answer: Answer;
  readonly tags: readonly string[];
  /** Bytes of its body. */
  readonly bytes: number;
}
export interface Lifetimes {
  readonly sMaxAge: number;
  readonly staleWhileRevalidate?: number;
}
export interface Renewal {
  /** Everything by which answers differ. */
  readonly key: string;
  readonly lifetimes: Lifetimes;
  /** Fetches the answer anew when no client waits for it. Kept with the answer: it must not hold the request. */
  readonly refresh: () => Promise<Filled>;
}
export interface Ask extends Renewal {
  /** Undefined when the client has left before its call. */
  readonly fill: () => Promise<Filled | undefined>;
}
/** An answer that is kept. */
export interface Entry {
  readonly answer: Answer;
  readonly tags: readonly string[];
  readonly key: string;
  readonly bytes: number;
  /** Monotonic milliseconds. */
  readonly begunAt: number;
  readonly freshUntil: number;
  readonly staleUntil: number;
  readonly renewal: Renewal;
  /** False once a change or a newer answer has replaced it. */
  isCurrent: boolean;
}
export type Outcome = "hit" | "stale" | "miss";
export interface Found {
  readonly answer: Answer;
  readonly outcome: Outcome;
  /** Absent for an answer that is not kept. */
  readonly entry: Entry | undefined;
  /** Whether it may be from before a change that is known by now: no other cache may keep it for long. */
  readonly isOvertaken?: boolean;
}
/** A fill that is under way. Its tags are known when it ends. */
interface Fill {
  readonly begun: Begun;
  readonly found: Promise<(Found & { readonly tags: readonly string[] }) | undefined>;
}
interface Begun {
  readonly change: number;
  readonly at: number;
}

export class AnswerCache {
  readonly #clock: Clock;
  readonly #entries: LRUCache<string, Entry>;
  readonly #byTag = new Map<string, Set<Entry>>();
  readonly #fills = new Map<string, Fill>();
  readonly #refreshing = new Set<string>();
  /** The number of changes so far, and the last one of each tag, oldest first. */
  #changes = 0;
  readonly #changed = new Map<string, Begun>();
  /** Fills from before this change do not store: what changed then is forgotten. */
  #forgotten = 0;
  readonly counts = { hits: 0, staleHits: 0, misses: 0, fills: 0, unstored: 0, invalidations: 0 };

  constructor({ clock, bytesMax }: { clock: Clock; bytesMax: number }) {
    this.#clock = clock;
    this.#entries = new LRUCache({
      // One byte for none: nothing is as small.
      maxSize: Math.max(1, bytesMax),
      maxEntrySize: limits.cacheEntryBytesMax,
      sizeCalculation: ({ bytes, key }) => bytes + key.length + limits.cacheEntryOverheadBytes,
      dispose: entry => this.#retire(entry),
    });
  }

  get bytes(): number {
    return this.#entries.calculatedSize;
  }

  /** The answer for this key: kept, fetched by another request at this moment, or fetched by this one. */
  async get(ask: Ask): Promise<Found | undefined> {
    const entry = this.#entries.get(ask.key);
    const outcome = entry && this.use(entry);
    if (outcome) return { answer: entry.answer, outcome, entry };
    this.counts.misses++;
    // A fill without an answer was that of a client that left; a failed one may have had less time than this request.
    for (let joins = 0; joins < limits.cacheJoinsMax; joins++) {
      const running = this.#fills.get(ask.key);
      if (!running) return this.#fill(ask);
      try {
        const found = await running.found;
        if (found && this.#isUnchanged(found.tags, running.begun)) return found;
      } catch (error) {
        // A refusal has no tags: any change may have made it untrue.
        if (isRefusal(error) && running.begun.change === this.#changes) throw error;
      }
    }
    return this.#fill(ask);
  }

  /** Whether an entry may be given now; a stale one is fetched anew meanwhile. Counts a hit. */
  use(entry: Entry): "hit" | "stale" | undefined {
    const now = this.#clock.monotonic();
    if (!entry.isCurrent || now >= entry.staleUntil) return undefined;
    this.counts.hits++;
    if (now < entry.freshUntil) return "hit";
    this.counts.staleHits++;
    this.#refresh(entry.renewal);
    return "stale";
  }

  /** Whole seconds since the answer was asked for. */
  ageOf(entry: Entry): number {
    return Math.floor((this.#clock.monotonic() - entry.begunAt) / 1_000);
  }

  /** Drops what shows one of these, and keeps fills that are under way from storing it. */
  invalidate(tags: readonly string[]): void {
    const change = { change: ++this.#changes, at: this.#clock.monotonic() };
    for (const tag of tags) {
      // Deleted first, so that the oldest change is in front.
      this.#changed.delete(tag);
      this.#changed.set(tag, change);
      for (const entry of this.#byTag.get(tag) ?? []) this.#drop(entry);
    }
    for (const [tag, { change: number, at }] of this.#changed) {
      const isOld = change.at - at > limits.cacheFillMs;
      if (!isOld && this.#changed.size <= limits.cacheTagsMax) break;
      if (!isOld) this.#forgotten = number;
      this.#changed.delete(tag);
    }
  }

  /** Drops everything: messages about changes may have been lost. */
  clear(): void {
    this.#forgotten = ++this.#changes;
    this.counts.invalidations += this.#entries.size;
    this.#entries.clear();
  }

  #fill(ask: Ask): Fill["found"] {
    const begun = this.#begin();
    const found = ask
      .fill()
      .then(filled => {
        if (!filled) return undefined;
        const { answer, tags } = filled;
        const isOvertaken = !this.#isCurrent(tags, begun);
        return { answer, tags, outcome: "miss" as const, isOvertaken, entry: this.#store(ask, filled, begun) };
      })
      .finally(() => {
        if (this.#fills.get(ask.key)?.found === found) this.#fills.delete(ask.key);
      });
    this.#fills.set(ask.key, { begun, found });
    return found;
  }

  #refresh(renewal: Renewal): void {
    const { key } = renewal;
    if (this.#refreshing.has(key) || this.#refreshing.size >= limits.cacheRefreshesMax) return;
    this.#refreshing.add(key);
    const begun = this.#begin();
    // A failure leaves the old answer until its end; the next request after that meets the failure itself.
    void renewal
      .refresh()
      .then(
        filled => void this.#store(renewal, filled, begun),
        () => {},
      )
      .finally(() => this.#refreshing.delete(key));
  }

  #begin(): Begun {
    return { change: this.#changes, at: this.#clock.monotonic() };
  }

  #store({ key, lifetimes, refresh }: Renewal, { answer, tags, bytes }: Filled, begun: Begun): Entry | undefined {
    this.counts.fills++;
    const isCurrent = this.#isCurrent(tags, begun);
    if (!isCurrent || bytes > limits.cacheEntryBytesMax) {
      this.counts.unstored++;
      return undefined;
    }
    const { sMaxAge, staleWhileRevalidate = 0 } = lifetimes;
    const freshUntil = begun.at + sMaxAge * 1_000;
    const staleUntil = freshUntil + staleWhileRevalidate * 1_000;
    const entry: Entry = {
      answer,
      tags,
      key,
      bytes,
      begunAt: begun.at,
      freshUntil,
      staleUntil,
      renewal: { key, lifetimes, refresh },
      isCurrent: true,
    };
    this.#entries.set(key, entry);
    if (this.#entries.peek(key) !== entry) return undefined;
    for (const tag of tags) {
      const entries = this.#byTag.get(tag);
      if (entries) entries.add(entry);
      else this.#byTag.set(tag, new Set([entry]));
    }
    return entry;
  }

  /** Whether no change of these tags can be missing in what was read since `begun`. */
  #isCurrent(tags: readonly string[], begun: Begun): boolean {
    if (!this.#isUnchanged(tags, begun)) return false;
    return tags.every(tag => begun.at - (this.#changed.get(tag)?.at ?? -Infinity) >= limits.cacheSettleMs);
  }

  /** Whether no change of these tags was told since, as far back as changes are remembered. */
  #isUnchanged(tags: readonly string[], { change, at }: Begun): boolean {
    if (change < this.#forgotten || this.#clock.monotonic() - at > limits.cacheFillMs) return false;
    return tags.every(tag => (this.#changed.get(tag)?.change ?? 0) <= change);
  }

  #drop(entry: Entry): void {
    this.counts.invalidations++;
    this.#entries.delete(entry.key);
  }

  #retire(entry: Entry): void {
    entry.isCurrent = false;
    for (const tag of entry.tags) {
      const entries = this.#byTag.get(tag);
      entries?.delete(entry);
      if (entries?.size === 0) this.#byTag.delete(tag);
    }
  }
}
