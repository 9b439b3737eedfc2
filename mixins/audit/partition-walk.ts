// The records of one partition, in their order, compared with each other and with what checkpoints say. Keeps the hashes since
// the last checkpoint that was right, to name the record where a rewritten part begins.
import { actorOf, hashOf, readRecord, type AuditRecord } from "./record.ts";
import type { Head } from "./signing.ts";

/** A record as it lies in the database or in an export. */
export interface StoredRecord extends Head {
  /** Canonical JSON of the record. */
  readonly text: string;
  /** Signature of the head here: on the last record of each commit. */
  readonly signature?: string | undefined;
  /** Columns by which records are found, where it comes from the database; they have to say what the record says. */
  readonly columns?: Readonly<Record<string, unknown>> | undefined;
}

export interface Fault {
  /** `rewritten`: it and all that follow were computed anew. */
  readonly kind: "edited" | "removed" | "inserted" | "reordered" | "rewritten";
  readonly partition?: number;
  /** The first record that is wrong. */
  readonly seq?: number;
  /** The last record that may be the first wrong one, where it cannot be told more exactly. */
  readonly through?: number;
  readonly checkpoint?: number;
  readonly says: string;
}

/** The head of a partition in a checkpoint. */
export interface Mark extends Head {
  /** Number of the checkpoint. */
  readonly number: number;
  readonly isAnchor: boolean;
}

export interface WalkOptions {
  readonly partition: number;
  /** The head before the first record. */
  readonly base: Head;
  readonly marks: readonly Mark[];
  /** Records after this number have to be signed: no checkpoint vouches for them. */
  readonly signedFrom: number;
  /** There are at least so many. */
  readonly reaches: number;
  readonly signerOf: (head: Head, signature: string) => boolean;
  /** Hashes of the records between the checkpoint before and this one, in the anchor: the first one's number, and all. */
  readonly hashesOf: (checkpoint: number) => { from: number; hashes: readonly string[] } | undefined;
}

/** A record that does not fit: the next ones tell why. */
interface Suspect {
  readonly seq: number;
  readonly hash: string;
  /** Hash of the record that it says it follows. */
  readonly follows: string;
  /** Its number is another one than it says: it was moved here. */
  readonly isMoved: boolean;
  readonly signature: string | undefined;
}

export class PartitionWalk {
  readonly partition: number;
  readonly #options: WalkOptions;
  readonly #marks: Mark[];
  #head: Head;
  /** `previous` of the record at the head. */
  #previous: string | undefined;
  /** Records since the last mark that was right. */
  #since: { readonly head: Head; readonly signature: string | undefined }[] = [];
  #good: number;
  #signed: number;
  #isSigned: boolean;
  #suspect: Suspect | undefined;
  #fault: Fault | undefined;

  constructor(options: WalkOptions) {
    this.partition = options.partition;
    this.#options = options;
    this.#head = options.base;
    this.#good = options.base.seq;
    this.#signed = Math.max(options.base.seq, options.signedFrom);
    this.#isSigned = true;
    this.#marks = options.marks.filter(({ seq }) => seq > options.base.seq).sort((a, b) => a.seq - b.seq);
  }

  get head(): Head {
    return this.#head;
  }

  take(stored: StoredRecord): void {
    if (this.#suspect) return this.#explain(this.#suspect, stored);
    if (this.#fault) return;
    const { seq, hash } = stored;
    const expected = this.#head.seq + 1;
    if (seq > expected)
      return this.#wrong("removed", expected, `${count(seq - expected)} missing before record ${seq}`, seq - 1);
    if (hashOf(stored.text) !== hash)
      return this.#wrong("edited", seq, "its content is not what its hash was computed of");
    const record = readRecord(stored.text);
    if (!record) return this.#wrong("edited", seq, "its text is no record");
    if (seq < expected || record.seq !== seq || record.partition !== this.partition) {
      // The record before it says that it follows on the same one: that one came between.
      if (record.previous === this.#previous && record.seq === seq - 1)
        return this.#wrong("inserted", seq - 1, `record ${seq} was written as number ${record.seq}`);
      return this.#suspectOf(stored, record, true);
    }
    if (record.previous !== this.#head.hash) return this.#suspectOf(stored, record, false);
    const said: Readonly<Record<string, unknown>> = { ...record, actor: actorOf(record.subject) };
    const column = Object.entries(stored.columns ?? {}).find(([name, value]) => (value ?? undefined) !== said[name]);
    if (column) return this.#wrong("edited", seq, `its column for ${column[0]} says something else than it does`);
    this.#head = { partition: this.partition, seq, hash };
    this.#previous = record.previous;
    this.#checkHead(stored);
  }

  /** The first fault; undefined when all is well. */
  end(): Fault | undefined {
    const suspect = this.#suspect;
    if (suspect) this.#settle(suspect, !suspect.isMoved && this.#isVouchedFor(suspect));
    if (this.#fault) return this.#fault;
    const { seq } = this.#head;
    const reaches = Math.max(this.#options.reaches, ...this.#marks.map(mark => mark.seq));
    if (seq < reaches) this.#wrong("removed", seq + 1, `${count(reaches - seq)} missing at the end`, reaches);
    else if (!this.#isSigned) this.#wrong("rewritten", this.#signed + 1, "no signature vouches for the end", seq);
    return this.#fault;
  }

  // ---- signatures and checkpoints

  #checkHead({ signature }: StoredRecord): void {
    const head = this.#head;
    this.#since.push({ head, signature });
    if (head.seq > this.#options.signedFrom) {
      this.#isSigned = false;
      if (signature !== undefined) {
        if (!this.#options.signerOf(head, signature))
          return this.#wrong(
            "rewritten",
            this.#signed + 1,
            `the signature at record ${head.seq} is not right`,
            head.seq,
          );
        this.#signed = head.seq;
        this.#isSigned = true;
      }
    }
    const marks: Mark[] = [];
    while (this.#marks[0]?.seq === head.seq) marks.push(this.#marks.shift()!);
    if (marks.length === 0) return;
    const broken = marks.filter(({ hash }) => hash !== head.hash);
    if (broken.length > 0) return this.#rewritten(broken.find(({ isAnchor }) => isAnchor) ?? broken[0]!);
    this.#good = head.seq;
    this.#since = [];
  }

  /** The head is not the one that a checkpoint names: finds the first record since the last that was. */
  #rewritten({ number, seq, isAnchor }: Mark): void {
    const where = isAnchor ? "in the anchor" : "here";
    const copy = this.#options.hashesOf(number);
    const exact = copy && this.#since.find(({ head }) => copy.hashes[head.seq - copy.from] !== head.hash);
    if (exact)
      return this.#wrong(
        "rewritten",
        exact.head.seq,
        `its hash in the anchor, beside checkpoint ${number}, is another one`,
      );
    let first = this.#good + 1;
    for (const { head, signature } of this.#since)
      if (signature !== undefined) {
        if (!this.#options.signerOf(head, signature)) {
          const says = `checkpoint ${number} ${where} names another hash for record ${seq}, and the signature at record ${head.seq} is not right`;
          return this.#wrong("rewritten", first, says, head.seq);
        }
        first = head.seq + 1;
      }
    this.#wrong(
      "rewritten",
      Math.min(first, seq),
      `checkpoint ${number} ${where} names another hash for record ${seq}`,
      seq,
    );
  }

  // ---- records that do not fit

  #suspectOf({ seq, hash, signature }: StoredRecord, { previous }: AuditRecord, isMoved: boolean): void {
    this.#suspect = { seq, hash, follows: previous, isMoved, signature };
  }

  #isVouchedFor({ seq, hash, signature }: Suspect): boolean {
    const { partition } = this;
    const isSigned = signature !== undefined && this.#options.signerOf({ partition, seq, hash }, signature);
    return isSigned || this.#marks.some(mark => mark.seq === seq && mark.hash === hash);
  }

  /** A later record, looked at for what it tells of the first one that did not fit. */
  #explain(suspect: Suspect, stored: StoredRecord): void {
    if (suspect.isMoved) {
      if (stored.hash === suspect.follows) this.#settle(suspect, true);
      return;
    }
    // If it cannot be read, that fault comes second.
    this.#settle(suspect, readRecord(stored.text)?.previous === suspect.hash);
  }

  /** `isKnown`: the record that a moved one follows comes later; or the next record follows on one that was not moved. */
  #settle({ seq, isMoved }: Suspect, isKnown: boolean): void {
    this.#suspect = undefined;
    if (isMoved)
      return isKnown
        ? this.#wrong("reordered", seq, "the record that was written before the one here comes later")
        : this.#wrong("removed", seq, "the record here was written as another number, and the one before it is gone");
    // The next record follows on this one, so this one is as it was, and the one before it is not.
    if (isKnown && seq - 1 > this.#options.base.seq)
      return this.#wrong("edited", seq - 1, `record ${seq} follows on another one than this`);
    this.#wrong("edited", seq, "it does not follow on the record before it");
  }

  #wrong(kind: Fault["kind"], seq: number, says: string, through = seq): void {
    const { partition } = this;
    this.#fault = { kind, partition, seq, ...(through > seq && { through }), says };
  }
}

const count = (records: number): string => (records === 1 ? "a record is" : `${records} records are`);
