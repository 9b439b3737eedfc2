// Whether an audit is as it was written, and which record is the first that is not. It reads lines, from the database or from
// an export, in one pass and in bounded memory. Pure.
//
//   1. keys, then checkpoints in their order: each names the hash of the one before, and is signed. The newest is what all
//      else is compared with, so its key has to be one that the reader trusts.
//   2. records, partition by partition in their order (partition-walk.ts): each names the hash of the one before, and where a
//      checkpoint or the copy in the second place (`anchor`) says how a partition stood, it has to stand so.
//   3. records after the newest checkpoint: the last of each commit is signed.
//
// Somebody with write access to the database but without the key can change a record and compute all later hashes anew; 2 and 3 find that.
// Somebody with the key as well can sign all of it anew; then only the anchor tells.
import type { AnchorCopy, Anchored } from "./anchor.ts";
import { PartitionWalk, type Fault, type StoredRecord } from "./partition-walk.ts";
import { GENESIS } from "./record.ts";
import {
  checkpointHash,
  PublicKeys,
  readCheckpoint,
  type Checkpoint,
  type Head,
  type SignedCheckpoint,
} from "./signing.ts";

/** One line of an audit. They come in this order: keys, checkpoints, heads, records by partition and number. */
export type Line =
  | { readonly key: string }
  | { readonly checkpoint: SignedCheckpoint }
  /**
   * Where the partitions stood when the reading began: at least so far the records have to reach; and the number of the
   * newest checkpoint that the anchor was given, which exports of older releases do not tell.
   */
  | { readonly heads: readonly Head[]; readonly anchored?: number }
  | { readonly record: StoredRecord };

export interface VerifyOptions {
  /** Public keys in PEM that may have signed the newest checkpoint, and what comes after it. Default: those of the audit. */
  readonly trusted?: readonly string[] | undefined;
  /** The copy of the checkpoints in the second place. */
  readonly anchor?: AnchorCopy | undefined;
  /**
   * Whether it is an export, which says how things stood: the anchor may have newer checkpoints. Default false: the newest one
   * of the anchor has to be here.
   */
  readonly isExport?: boolean | undefined;
  /** Begins after this checkpoint, which is taken as it is. Default: all that there is. */
  readonly since?: number | undefined;
  /** Told every 1 000 records. */
  readonly onProgress?: ((records: number) => void) | undefined;
}

export interface Verdict {
  readonly ok: boolean;
  readonly records: number;
  readonly checkpoints: number;
  /** Checkpoints that were compared with the anchor. */
  readonly anchored: number;
  /** The newest checkpoint of the anchor, where an export ends before it. */
  readonly anchorGoesOnTo?: number;
  /** Ids of the keys that signed the newest checkpoint and what comes after it. */
  readonly signedBy: readonly string[];
  /** Where each partition stands. */
  readonly heads: readonly Head[];
  /** Checkpoints first, then the first wrong record of each partition. */
  readonly faults: readonly Fault[];
}

const PROGRESS_EVERY = 1_000;

/** The kinds of lines in their order, and what they are for people. */
const ORDER = ["key", "checkpoint", "heads", "record"] as const;
const NAMES = ["a key", "a checkpoint", "the heads", "records"];
const HEADS = ORDER.indexOf("heads");

export async function verify(
  lines: AsyncIterable<Line> | Iterable<Line>,
  options: VerifyOptions = {},
): Promise<Verdict> {
  const verification = new Verification(options);
  for await (const line of lines) await verification.take(line);
  return verification.end();
}

class Verification {
  readonly #options: VerifyOptions;
  readonly #keys = new PublicKeys();
  readonly #trusted = new Set<string>();
  readonly #checkpoints: { signed: SignedCheckpoint; checkpoint: Checkpoint }[] = [];
  readonly #faults: Fault[] = [];
  readonly #signedBy = new Set<string>();
  readonly #heads: Head[] = [];
  #reached = new Map<number, number>();
  #hasHeads = false;
  /** Number of the newest checkpoint that the anchor was given; undefined where nothing tells. */
  #given: number | undefined;
  #anchorNewest = 0;
  /** Kind of the line before, as its place in `ORDER`. */
  #stage = 0;
  /** Numbers of checkpoints whose text says none. */
  readonly #unreadable = new Set<number>();
  /** The first checkpoint of the anchor that is not ours, and the newest. */
  #anchored: readonly Anchored[] = [];
  #base: Checkpoint | undefined;
  #walk: PartitionWalk | undefined;
  readonly #walked = new Set<number>();
  #isOpen = false;
  #compared = 0;
  #records = 0;

  constructor(options: VerifyOptions) {
    this.#options = options;
    for (const key of options.trusted ?? []) this.#trusted.add(this.#keys.add(key));
  }

  async take(line: Line): Promise<void> {
    const stage = ORDER.findIndex(kind => kind in line);
    // A line that comes late was not there when those before it were compared.
    if (stage < this.#stage || (stage === HEADS && this.#stage === HEADS))
      return this.#wrong("reordered", `${NAMES[stage]} after ${NAMES[this.#stage]}`);
    this.#stage = stage;
    if ("key" in line) this.#takeKey(line.key);
    else if ("checkpoint" in line) this.#takeCheckpoint(line.checkpoint);
    else if ("heads" in line) {
      this.#hasHeads = true;
      this.#reached = new Map(line.heads.map(({ partition, seq }) => [partition, seq]));
      this.#given = line.anchored;
    } else await this.#takeRecord(line.record);
  }

  async end(): Promise<Verdict> {
    if (this.#stage < HEADS) this.#wrong("removed", "it is cut off: what follows on the checkpoints is missing");
    else if (!this.#hasHeads)
      this.#wrong("removed", "the line of the heads is missing, by which an end that was cut off shows");
    await this.#open();
    this.#endWalk();
    // Partitions of which no record is left.
    const known = [this.#base, this.#newest(), ...this.#anchored.map(({ checkpoint }) => checkpoint)];
    const partitions = new Set([
      ...this.#reached.keys(),
      ...known.flatMap(checkpoint => checkpoint?.heads.map(({ partition }) => partition) ?? []),
    ]);
    for (const partition of [...partitions].sort((a, b) => a - b))
      if (!this.#walked.has(partition)) {
        this.#begin(partition);
        this.#endWalk();
      }
    return {
      ok: this.#faults.length === 0,
      records: this.#records,
      checkpoints: this.#checkpoints.length,
      anchored: this.#compared,
      ...(this.#options.isExport &&
        this.#anchorNewest > (this.#newest()?.number ?? 0) && { anchorGoesOnTo: this.#anchorNewest }),
      signedBy: [...this.#signedBy],
      heads: this.#heads,
      faults: this.#faults,
    };
  }

  async #takeRecord(record: StoredRecord): Promise<void> {
    await this.#open();
    if (this.#walk?.partition !== record.partition) {
      this.#endWalk();
      this.#begin(record.partition);
    }
    this.#walk!.take(record);
    if (++this.#records % PROGRESS_EVERY === 0) this.#options.onProgress?.(this.#records);
  }

  #takeKey(key: string): void {
    try {
      const id = this.#keys.add(key);
      if (this.#options.trusted === undefined) this.#trusted.add(id);
    } catch {
      this.#wrong("edited", "a public key cannot be read");
    }
  }

  #takeCheckpoint(signed: SignedCheckpoint): void {
    const checkpoint = readCheckpoint(signed);
    if (checkpoint) this.#checkpoints.push({ signed, checkpoint });
    else this.#unreadable.add((this.#newest()?.number ?? (this.#options.since ?? 1) - 1) + 1);
  }

  /** A fault of the audit as a whole. */
  #wrong(kind: Fault["kind"], says: string): void {
    if (!this.#faults.some(fault => fault.says === says)) this.#faults.push({ kind, says });
  }

  #newest(): Checkpoint | undefined {
    return this.#checkpoints.at(-1)?.checkpoint;
  }

  // ---- checkpoints

  /** All checkpoints are there: checks them, and the anchor's. */
  async #open(): Promise<void> {
    if (this.#isOpen) return;
    this.#isOpen = true;
    const newest = this.#newest();
    const first = this.#options.since ?? newest?.removedUpTo ?? 0;
    this.#checkpoints.splice(
      0,
      this.#checkpoints.findIndex(({ checkpoint }) => checkpoint.number >= first),
    );
    this.#base = this.#checkpoints.find(({ checkpoint: { number } }) => number === first)?.checkpoint;
    this.#checkChain(first);
    if (newest) this.#checkTrust(newest);
    await this.#compare(first);
  }

  /**
   * Checkpoints name the hash of the one before: if the newest one in the anchor is ours, so are all before it. Otherwise
   * finds the first that is not, by halves.
   */
  async #compare(first: number): Promise<void> {
    const { anchor } = this.#options;
    if (!anchor) return;
    const own = this.#newest()?.number ?? 0;
    this.#anchorNewest = await anchor.newest(own);
    const newest = this.#options.isExport ? Math.min(this.#anchorNewest, own) : this.#anchorNewest;
    let low = Math.max(first, 1);
    this.#mustHaveBeenGiven(own, low);
    if (newest < low) return;
    this.#compared = newest - low + 1;
    const last = await this.#differing(anchor, newest);
    if (!last) return;
    let found = last;
    for (let high = newest; low < high;) {
      const middle = Math.floor((low + high) / 2);
      const differing = await this.#differing(anchor, middle);
      if (differing) [high, found] = [middle, differing];
      else low = middle + 1;
    }
    this.#anchored = found.checkpoint.number === newest ? [found] : [found, last];
    this.#faults.push(this.#differenceOf(found));
  }

  /** An anchor without what it was given proves nothing, whether it was emptied or another place was named. */
  #mustHaveBeenGiven(own: number, low: number): void {
    // An export of an older release tells nothing: something at least has to be there.
    const given = this.#given ?? Math.min(own, low);
    if (this.#anchorNewest >= given) return;
    const has = this.#anchorNewest === 0 ? "none" : `none after ${this.#anchorNewest}`;
    this.#faults.push({
      kind: "removed",
      checkpoint: this.#anchorNewest + 1,
      says: `the anchor was given checkpoint ${given} and has ${has}: it is another place, or was changed`,
    });
  }

  async #differing(anchor: AnchorCopy, number: number): Promise<Anchored | undefined> {
    const anchored = await anchor.get(number);
    return anchored && this.#own(number)?.text !== anchored.signed.text ? anchored : undefined;
  }
  #own(number: number): SignedCheckpoint | undefined {
    return this.#checkpoints.find(({ checkpoint }) => checkpoint.number === number)?.signed;
  }

  #checkChain(first: number): void {
    let expected = Math.max(first, 1);
    let before: SignedCheckpoint | undefined;
    for (const { signed, checkpoint } of this.#checkpoints) {
      const { number, previous, key } = checkpoint;
      const wrong = (kind: Fault["kind"], says: string): void =>
        void this.#faults.push({ kind, checkpoint: expected, says });
      if (this.#unreadable.has(expected)) return wrong("edited", `checkpoint ${expected} cannot be read`);
      if (number !== expected) return wrong("removed", `checkpoint ${expected} is missing`);
      if (!this.#keys.isSigned(signed, key)) return wrong("edited", `checkpoint ${number} is not signed by key ${key}`);
      if (before ? previous !== checkpointHash(before) : number === 1 && previous !== GENESIS)
        return wrong("rewritten", `checkpoint ${number} does not follow on the one before it`);
      before = signed;
      expected++;
    }
    if (this.#unreadable.has(expected))
      this.#faults.push({ kind: "edited", checkpoint: expected, says: `checkpoint ${expected} cannot be read` });
  }

  #checkTrust({ number, key }: Checkpoint): void {
    this.#signedBy.add(key);
    if (this.#trusted.has(key)) return;
    this.#faults.push({
      kind: "rewritten",
      checkpoint: number,
      says: `checkpoint ${number} is signed by key ${key}, which is not trusted`,
    });
  }

  #differenceOf({ signed, checkpoint: { number, key }, publicKey }: Anchored): Fault {
    const keys = new PublicKeys();
    const own = this.#own(number);
    const says =
      keys.add(publicKey) !== key || !keys.isSigned(signed, key)
        ? `checkpoint ${number} in the anchor is not signed by its key: the anchor was changed`
        : own
          ? `checkpoint ${number} is another one than in the anchor`
          : `checkpoint ${number} is in the anchor and not here`;
    return { kind: own ? "rewritten" : "removed", checkpoint: number, says };
  }

  // ---- partitions

  #begin(partition: number): void {
    this.#walked.add(partition);
    const headIn = (checkpoint: Checkpoint | undefined): Head | undefined =>
      checkpoint?.heads.find(head => head.partition === partition);
    const marks = [
      ...this.#checkpoints.map(({ checkpoint }) => ({ checkpoint, isAnchor: false })),
      ...this.#anchored.map(({ checkpoint }) => ({ checkpoint, isAnchor: true })),
    ].flatMap(({ checkpoint, isAnchor }) => {
      const head = headIn(checkpoint);
      return head ? [{ ...head, number: checkpoint.number, isAnchor }] : [];
    });
    this.#walk = new PartitionWalk({
      partition,
      base: headIn(this.#base) ?? { partition, seq: 0, hash: GENESIS },
      marks,
      signedFrom: headIn(this.#newest())?.seq ?? 0,
      reaches: this.#reached.get(partition) ?? 0,
      signerOf: (head, signature) => {
        const id = this.#keys.signerOf(head, signature);
        const isTrusted = id !== undefined && (this.#trusted.has(id) || (this.#newest()?.keys.includes(id) ?? false));
        if (isTrusted) this.#signedBy.add(id);
        return isTrusted;
      },
      hashesOf: number =>
        this.#anchored
          .find(({ checkpoint }) => checkpoint.number === number)
          ?.hashes.find(copied => copied.partition === partition),
    });
  }

  #endWalk(): void {
    const walk = this.#walk;
    if (!walk) return;
    this.#walk = undefined;
    const fault = walk.end();
    if (fault) this.#faults.push(fault);
    this.#heads.push(walk.head);
  }
}
