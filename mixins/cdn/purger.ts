// Tells the network of changes, in the background of the service that owns what has changed.
import { backoffMs, Pause, plainError } from "../kernel/index.ts";
import { limits } from "./limits.ts";
import type { Network } from "./network.ts";
import type { DuePurge, PurgeLog } from "./purge-log.ts";

export interface PurgerOptions {
  readonly log: PurgeLog;
  readonly network: Pick<Network, "purge" | "name">;
  /** Milliseconds since the epoch, on the database's clock. */
  readonly now: () => Promise<number>;
  readonly logger: { info(line: string): void; warn(line: string): void };
  /** Told of each purge that was sent, with the milliseconds since the oldest change that it was the first to tell of. */
  readonly onSent?: ((sinceChangeMs: number | undefined) => void) | undefined;
  readonly onFailed?: (() => void) | undefined;
}

export class Purger {
  readonly #options: PurgerOptions;
  readonly #pause = new Pause();
  #running: Promise<void> | undefined;
  #isWoken = false;
  #isStopped = false;
  #failures = 0;
  #trouble: string | undefined;

  constructor(options: PurgerOptions) {
    this.#options = options;
  }

  /** Why the last purge failed; undefined when it did not. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Looks for changes now: there are new ones. */
  wake(): void {
    this.#isWoken = true;
    // A network that has just failed is left alone.
    if (this.#failures === 0) this.#pause.end();
  }

  /** A purge on its way gets a few seconds; another node, or the next start, sends what is left. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#pause.end();
    const patience = new Pause();
    await Promise.race([this.#running, patience.wait(limits.stopMs)]);
    patience.end();
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      this.#isWoken = false;
      const waitMs = await this.#turn().catch((error: unknown) => this.#failed(error));
      if (!this.#isStopped && (!this.#isWoken || this.#failures > 0)) await this.#pause.wait(waitMs);
    }
  }

  /** Sends what is due; answers the milliseconds until the next turn. */
  async #turn(): Promise<number> {
    const { log, now: clock } = this.#options;
    const nextAt = await log.nextAt();
    if (nextAt === undefined) return limits.pollMs;
    const now = await clock();
    if (nextAt > now) return Math.min(limits.pollMs, nextAt - now);
    const due = await log.claim(now);
    if (due) await this.#send(due);
    return 0;
  }

  async #send(due: DuePurge): Promise<void> {
    const { log, network, now: clock, logger, onSent } = this.#options;
    try {
      await network.purge(due.keys);
    } catch (error) {
      const waitMs = backoffMs(this.#failures + 1, { baseMs: limits.retryMs, capMs: limits.retryMsMax });
      await log.postpone(due, (await clock()) + waitMs);
      throw error;
    }
    const now = await clock();
    await log.sent(due, now);
    if (this.#failures > 0) logger.info(`the network ${network.name} takes purges again`);
    this.#failures = 0;
    this.#trouble = undefined;
    onSent?.(due.changedAt === undefined ? undefined : now - due.changedAt);
  }

  /** Answers the milliseconds until the next turn. */
  #failed(error: unknown): number {
    const { network, logger, onFailed } = this.#options;
    this.#trouble = plainError(error).message.slice(0, limits.reasonCharsMax);
    if (this.#failures === 0) logger.warn(`purges of ${network.name} wait: ${this.#trouble}`);
    this.#failures++;
    onFailed?.();
    return backoffMs(this.#failures, { baseMs: limits.retryMs, capMs: limits.retryMsMax });
  }
}
