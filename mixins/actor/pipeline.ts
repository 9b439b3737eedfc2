// The decisions of one actor that the store has not confirmed yet. Guards P1 (a reply leaves after its commit).
//
//   1. append     a decision joins the end, and its append goes to the store. The next decision stands on its state.
//   2. verdict    the store answers each append once, in order. A verdict that comes early, or a second one for the same
//                 append, is a bug of the store: the owner is told, and an early one waits for its turn.
//   3. conclude   in order: the owner lets the answer leave, or voids the decisions.
//
// A crash between 1 and 3 loses nothing: the caller has no answer, repeats under the same id, and meets the recorded one.
import type { Reply } from "../contract/index.ts";
import type { Append, EventStore, RecordedCommand, Verdict } from "../event-store/index.ts";
import type { Refusal } from "../kernel/index.ts";
import type { Request } from "./request.ts";

/** A decision that waits for its verdict. */
export interface Decided {
  readonly request: Request;
  readonly version: number;
  readonly state: unknown;
  /** Monotonic time at which the store was asked. */
  readonly askedAt: number;
  /** Later decisions stand on it if there are any. */
  readonly events: Append["events"];
  /** The answer that leaves when the verdict is ok. None for a read. */
  readonly answer: Reply | Refusal | undefined;
  /** The command's own row, kept among the recent ones when the verdict is ok. */
  readonly record: RecordedCommand | undefined;
  /** The store's answer, until it is this decision's turn. */
  verdict: Verdict | undefined;
}

export interface PipelineOwner {
  conclude(decided: Decided, verdict: Verdict): void;
  /** The store has broken its word: nothing that was decided on it can be trusted. */
  misled(what: string, decided: Decided, verdict: Verdict): void;
  /** After each verdict, when every decision whose turn has come is concluded. */
  advanced(): void;
}

export class Pipeline {
  readonly #store: EventStore;
  readonly #owner: PipelineOwner;
  readonly #decided: Decided[] = [];

  constructor(store: EventStore, owner: PipelineOwner) {
    this.#store = store;
    this.#owner = owner;
  }

  get isEmpty(): boolean {
    return this.#decided.length === 0;
  }

  append(decided: Decided, append: Append): void {
    this.#decided.push(decided);
    this.#store.append(append, verdict => this.#settle(decided, verdict));
  }

  #settle(decided: Decided, verdict: Verdict): void {
    const isSecond = decided.verdict !== undefined;
    if (isSecond) this.#owner.misled("a second verdict", decided, verdict);
    else {
      if (this.#decided[0] !== decided) this.#owner.misled("a verdict ahead of those before it", decided, verdict);
      decided.verdict = verdict;
    }
    for (let first = this.#decided[0]; first?.verdict; first = this.#decided[0]) {
      this.#decided.shift();
      this.#owner.conclude(first, first.verdict);
    }
    this.#owner.advanced();
  }
}
