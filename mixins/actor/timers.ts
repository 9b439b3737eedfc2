// Fires durable timers: the command that was set goes to its actor through the broker, so placement applies. Any node
// may fire: the command id comes from the timer and the time that it was set to, so a double firing, and one whose
// answer was lost, takes effect once; that only one does, as a rule, saves work. A timer is deleted once its command was
// answered, refusals included; unavailable backs off.
import { backoffMs, failpoint, isRefusal, timerCommandId } from "../kernel/index.ts";
import type { DueTimer, EventStore } from "../event-store/index.ts";
import type { Singleton } from "../stream/mixin.ts";
import type { ActorLimits } from "./limits.ts";

type Send = (id: string, command: string, params: Record<string, unknown>, commandId: string) => Promise<unknown>;

export class TimerRunner {
  readonly #store: EventStore;
  readonly #send: Send;
  readonly #limits: ActorLimits;
  readonly #onError: (error: Error) => void;
  readonly #singleton: Singleton;
  #next: NodeJS.Timeout | undefined;
  #round: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(
    store: EventStore,
    singleton: Singleton,
    send: Send,
    limits: ActorLimits,
    onError: (error: Error) => void,
  ) {
    this.#singleton = singleton;
    this.#store = store;
    this.#send = send;
    this.#limits = limits;
    this.#onError = onError;
    this.#schedule(0);
  }

  /** Waits for the round that is under way; timers that are due stay due. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#next);
    await this.#round;
    await this.#singleton.release().catch(this.#onError);
  }

  #schedule(inMs: number): void {
    if (this.#stopped) return;
    this.#next = setTimeout(() => {
      this.#round = this.#fireDue().then(
        nextInMs => this.#schedule(nextInMs),
        (error: Error) => {
          this.#onError(error);
          this.#schedule(this.#limits.timerPollMs);
        },
      );
    }, inMs);
  }

  /** Milliseconds until the next look. */
  async #fireDue(): Promise<number> {
    const { timersAtOnce, timerPollMs } = this.#limits;
    if (!(await this.#singleton.holds())) return timerPollMs;
    const { due, nextInMs = timerPollMs } = await this.#store.dueTimers(timersAtOnce);
    await Promise.all(due.map(timer => this.#fire(timer)));
    return Math.max(1, Math.min(nextInMs, timerPollMs));
  }

  async #fire(timer: DueTimer): Promise<void> {
    const id = timer.stream.slice(timer.stream.indexOf(".") + 1);
    try {
      failpoint("timer:before-fire");
      await this.#send(id, timer.command, JSON.parse(timer.params), timerCommandId(`${timer.id}@${timer.dueAt}`));
      failpoint("timer:after-fire");
    } catch (error) {
      if (!isRefusal(error))
        return this.#store.postponeTimer(timer, backoffMs(timer.attempts + 1, { baseMs: 500, capMs: 60_000 }));
    }
    await this.#store.deleteTimer(timer);
  }
}
