// The durable side of one activation: the newest committed state, from which reads are answered and snapshots are taken.
// A snapshot is saved off the commands' path: no caller waits for it, and a lost one costs a longer load.
import { failpoint } from "./failpoints.ts";
import { storableJson } from "../kernel/index.ts";
import type { ActivationContext } from "./activation-context.ts";
import { actorErrors } from "./errors.ts";

/** Events between two snapshots, by default. */
const SNAPSHOT_EVERY = 100;

export class Durable {
  state: unknown;
  version = 0;
  readonly #id: string;
  readonly #stream: string;
  readonly #context: ActivationContext;
  /**
   * Monotonic time of the last proof that the version is the stream's head. A proof is as old as its question: a process
   * that is paused before it takes the answer in must not serve it as fresh for another second.
   */
  #provenAt = -Infinity;
  /** The newest version that has a snapshot, and the monotonic time at which the last one was offered. */
  #snapshotVersion = 0;
  #snapshotAt = -Infinity;

  constructor(id: string, stream: string, context: ActivationContext) {
    this.#id = id;
    this.#stream = stream;
    this.#context = context;
  }

  /** Whether a read may trust it without asking the store. */
  get isFresh(): boolean {
    return this.#context.monotonic() - this.#provenAt < this.#context.limits.freshMs;
  }

  /** The store has confirmed this version; it was asked at `askedAt`, monotonic. */
  prove(version: number, state: unknown, askedAt: number): void {
    this.version = version;
    this.state = state;
    this.#provenAt = askedAt;
  }

  /** The stream was loaded from the snapshot of this version; 0 for none. */
  loadedFrom(snapshotVersion: number): void {
    this.#snapshotVersion = snapshotVersion;
  }

  /** Saves a snapshot in the background when enough events have happened, at most every `snapshotIntervalMs`. */
  offerSnapshot(): void {
    if (!this.#deservesSnapshot) return;
    const now = this.#context.monotonic();
    if (now - this.#snapshotAt < this.#context.limits.snapshotIntervalMs) return;
    this.#snapshotAt = now;
    void this.#saveSnapshot();
  }

  /** Saves a snapshot when enough events have happened. */
  async takeSnapshot(): Promise<void> {
    if (this.#deservesSnapshot) await this.#saveSnapshot();
  }

  get #deservesSnapshot(): boolean {
    return this.version - this.#snapshotVersion >= (this.#context.actor.snapshotEvery ?? SNAPSHOT_EVERY);
  }

  async #saveSnapshot(): Promise<void> {
    const { actor, store } = this.#context;
    const { version } = this;
    this.#snapshotVersion = version;
    failpoint("snapshot:before-save");
    let state: string;
    try {
      state = storableJson(this.state, "state");
    } catch (error) {
      const bug = actorErrors.SNAPSHOT_FAILED({ stream: this.#stream, version, reason: String(error), cause: error });
      return this.#context.onBug(this.#id, this.state, bug);
    }
    // Without it the next activation folds more events, that is all.
    await store.saveSnapshot(this.#stream, { version, schema: actor.snapshotSchema ?? 1, state }).catch(() => {});
  }
}
