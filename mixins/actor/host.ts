// All activations of one actor type in this process: activated on first call, one each, and passivated when idle.
import {
  autoCommandId,
  type Bug,
  fingerprintOf,
  isAutoCommandId,
  isPrintable,
  plainError,
  type Refusal,
  rfc3339,
  systemClock,
  type Clock,
  type CommandId,
  workForNobody,
} from "../kernel/index.ts";
import type { AnyContract, HistoryEntry, Reply, Snapshot, WhatIf } from "../contract/index.ts";
import type { EventStore, SagaRow } from "../event-store/index.ts";
import { Activation } from "./activation.ts";
import type { ActivationContext } from "./activation-context.ts";
import { commandTracing, tracedLoad } from "./command-trace.ts";
import type { Actor, StateOf } from "./define-actor.ts";
import { stateFreezer } from "./frozen.ts";
import { decisionId, history, stateAt, whatIf } from "./history.ts";
import { ACTOR_LIMITS, type ActorLimits } from "./limits.ts";
import { loadState } from "./load.ts";
import { preparing } from "./preparing.ts";
import type { Cause } from "./request.ts";
import { actorErrors } from "./errors.ts";

export interface ExecuteOptions {
  /** Default: made by the runtime; its answer is then recorded only if something happened. */
  readonly commandId?: string | undefined;
  /** Whether the command may have been executed already, by another activation. */
  readonly repeated?: boolean | undefined;
  /** On the monotonic clock (`performance.now()`). Default: none. */
  readonly deadline?: number | undefined;
  readonly metadata?: Cause | undefined;
  /** Actors that wait for this command, `a>b`. */
  readonly chain?: string | undefined;
  /** Called before the answer when it is the recorded one of an earlier attempt. */
  readonly onReplay?: (() => void) | undefined;
}

export interface ReadOptions {
  /** Whether to ask the store however fresh the state in memory is. Default false. */
  readonly consistent?: boolean | undefined;
  /** Actors that wait for this read, `a>b`. */
  readonly chain?: string | undefined;
}

export interface HostOptions {
  readonly logger: { error(...message: unknown[]): void; warn?(...message: unknown[]): void };
  /** The broker with which `prepare` calls. Needed only where a command declares `prepare`. */
  readonly broker?: object;
  readonly limits?: Partial<ActorLimits>;
  readonly clock?: Clock;
  /** Row of the list of open sagas, written with each append that has events. */
  readonly sagaRow?: (id: string, state: any) => SagaRow | undefined;
  /** Whether events carry the command that made them, for `whatIf`. Default true. */
  readonly recordCommands?: boolean;
  /** Bytes of an event's data, and of a command's answer: a committed event must fit on the bus. Default: no limit. */
  readonly bytesMax?: () => number;
}

/** The state of an actor, where the contract is known. */
type StateIn<K extends AnyContract> = 0 extends 1 & K ? any : StateOf<K>;

export class ActorHost<K extends AnyContract = any> {
  readonly actor: Actor;
  readonly store: EventStore;
  readonly #activations = new Map<string, Activation>();
  readonly #context: ActivationContext;
  readonly #limits: ActorLimits;
  readonly #clock: Clock;
  readonly #sweeper: NodeJS.Timeout;
  /** Owned by another node now, and still busy here. */
  #leaving = new Set<Activation>();
  /** Monotonic time of the last warning about each stream that this node cannot read. */
  readonly #unreadable = new Map<string, number>();
  readonly #tracing = commandTracing();
  readonly #loads: { running: number; readonly waiting: (() => void)[] } = { running: 0, waiting: [] };
  readonly counts = { commands: 0, conflicts: 0, activations: 0, passivations: 0, quarantined: 0 };
  #draining = false;

  constructor(actor: Actor, store: EventStore, options: HostOptions) {
    this.actor = actor;
    this.store = store;
    this.#limits = { ...ACTOR_LIMITS, ...options.limits };
    this.#clock = options.clock ?? systemClock;
    this.#context = this.#contextOf(options);
    this.#sweeper = setInterval(() => this.#passivateIdle(), 1_000).unref();
  }

  /** Actors in memory. */
  get resident(): number {
    return this.#activations.size;
  }

  /**
   * Executes a command. A repeated id gets the first answer.
   * @throws Refusal of the domain, `COMMAND_ID_REUSED`, `COMMAND_ID_TOO_LONG`, `BAD_COMMAND_ID`; Unavailable `MAILBOX_FULL`,
   * `DEADLINE_PASSED`, `CONTENTION`, `STREAM_QUARANTINED`, `UNREADABLE_HERE`, `MOVED`, with outcome none unless an append of
   * the command was sent before and may be stored; Bug.
   */
  execute(id: string, kind: string, params: unknown, options: ExecuteOptions = {}): Promise<Reply> {
    const { commandId, repeated = false, deadline = Infinity, metadata = {}, chain = "", onReplay } = options;
    // Only the node that made the id can repeat it, and says so by `repeated`.
    const isAuto = commandId === undefined || isAutoCommandId(commandId);
    const begins = this.actor.begins?.includes(kind) === true;
    const ask = (activation: Activation, settle: (answer: Reply | Error) => void): void => {
      const wrong = commandId === undefined ? undefined : this.#wrongIn(commandId);
      if (wrong) return settle(wrong);
      activation.execute({
        kind,
        params,
        commandId: (commandId ?? autoCommandId()) as CommandId,
        explicit: !isAuto || repeated,
        fingerprint: isAuto ? "" : fingerprintOf(kind, params),
        deadline,
        metadata,
        chain,
        settle,
        onReplay,
        trace: this.#tracing?.(activation.stream, kind),
      });
    };
    return this.#ask(id, chain, ask, begins);
  }

  /** State and version. At most 1 s stale; `consistent` asks the store. */
  get(id: string, { consistent = false, chain = "" }: ReadOptions = {}): Promise<Snapshot<StateIn<K>>> {
    return this.#ask<Snapshot<any>>(id, chain, (activation, settle) => activation.read(consistent, settle));
  }

  /** Answers whether a command was executed, with its answer; if not, it is refused as `ABANDONED` from now on. */
  abandon(id: string, commandId: string, chain = ""): Promise<{ executed: boolean; answer?: unknown }> {
    const abandon = (activation: Activation, settle: (answer: { executed: boolean } | Error) => void): void => {
      const wrong = this.#wrongIn(commandId);
      if (wrong) settle(wrong);
      else activation.abandon(commandId as CommandId, settle);
    };
    return this.#ask(id, chain, abandon);
  }

  history(id: string, from: number, limit: number): Promise<HistoryEntry[]> {
    return history(this.actor, this.store, this.streamOf(id), from, limit);
  }
  stateAt(id: string, version: number): Promise<Snapshot<StateIn<K>>> {
    const snapshot = stateAt(this.actor, this.store, id, this.streamOf(id), version, this.#limits.foldChunk);
    return snapshot as Promise<Snapshot<StateIn<K>>>;
  }
  whatIf(id: string): Promise<WhatIf> {
    return whatIf(this.actor, this.store, id, this.streamOf(id), this.#limits.foldChunk);
  }

  streamOf(id: string): string {
    return `${this.actor.contract.actor}.${id}`;
  }

  /** No new commands (`MOVED`); resolves when every mailbox is empty, every commit has returned and hot actors have a snapshot. */
  async drain(): Promise<void> {
    this.#draining = true;
    clearInterval(this.#sweeper);
    while ([...this.#activations.values()].some(activation => !activation.idle))
      await new Promise(resolve => setTimeout(resolve, 5));
    const leaving = [...this.#activations.values()];
    while (leaving.length > 0)
      await Promise.all(leaving.splice(-this.#limits.snapshotsAtOnce).map(activation => activation.takeLeave()));
    this.#activations.clear();
  }

  /** Actors that another node owns by the current view leave memory: at once, or as soon as their mailbox is empty. */
  handOver(isOurs: (id: string) => boolean): void {
    const others = [...this.#activations.values()].filter(({ id }) => !isOurs(id));
    this.#leaving = new Set(others.filter(activation => !this.#passivate(activation)));
  }

  /** Refuses an id that the store cannot keep word for word: it would fail its batch, and other actors' appends with it. */
  #wrongIn(commandId: string): Refusal | undefined {
    if (commandId.length > this.#limits.commandIdLength) return actorErrors.COMMAND_ID_TOO_LONG({ field: "commandId" });
    if (commandId === "" || !isPrintable(commandId))
      return actorErrors.BAD_COMMAND_ID({ field: "commandId", message: "is not printable text" });
    return undefined;
  }

  // ---- activation and passivation

  /** Rejects call cycles (`CALL_CYCLE`): a command or read that returns to an actor which waits in its own chain would wait for ever. */
  #ask<T>(
    id: string,
    chain: string,
    ask: (activation: Activation, settle: (answer: T | Error) => void) => void,
    begins = false,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const settle = (answer: T | Error): void => (answer instanceof Error ? reject(answer) : resolve(answer));
      if (this.#draining) return settle(actorErrors.MOVED());
      const waiting = chain === "" ? [] : chain.split(">");
      if (waiting.includes(this.streamOf(id))) return settle(cycle([...waiting, this.streamOf(id)]));
      ask(this.#activate(id, begins), settle);
    });
  }

  #activate(id: string, begins: boolean): Activation {
    const now = this.#clock.monotonic();
    let activation = this.#activations.get(id);
    if (!activation) {
      activation = new Activation(id, this.#context, begins);
      this.#activations.set(id, activation);
      this.counts.activations++;
      if (this.#activations.size > this.#limits.residentActors) this.#passivateOldest();
    } else if (now - activation.usedAt > 1_000) {
      // Least recently used first, to the second: moving an entry at every call would cost more than it tells.
      this.#activations.delete(id);
      this.#activations.set(id, activation);
      activation.usedAt = now;
    }
    return activation;
  }

  /** A hundredth of the limit at once: each walk of a Map begins by skipping the entries that were deleted at its front. */
  #passivateOldest(): void {
    let wanted = Math.ceil(this.#limits.residentActors / 100);
    for (const activation of this.#activations.values()) if (this.#passivate(activation) && --wanted === 0) return;
  }

  #passivateIdle(): void {
    for (const activation of this.#leaving)
      if (this.#activations.get(activation.id) !== activation || this.#passivate(activation))
        this.#leaving.delete(activation);
    const before = this.#clock.monotonic() - this.#limits.idleMs;
    for (const activation of this.#activations.values()) {
      if (activation.usedAt > before) return;
      this.#passivate(activation);
    }
  }

  #passivate(activation: Activation): boolean {
    if (!activation.idle) return false;
    this.counts.passivations++;
    return this.#activations.delete(activation.id);
  }

  /** At most `concurrentLoads` at once; one that ends gives its place to the next. */
  async #bounded<T>(work: () => Promise<T>): Promise<T> {
    const loads = this.#loads;
    if (loads.running < this.#limits.concurrentLoads) loads.running++;
    else await new Promise<void>(resolve => loads.waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = loads.waiting.shift();
      if (next) next();
      else loads.running--;
    }
  }

  #contextOf({
    logger,
    broker,
    sagaRow,
    recordCommands = true,
    bytesMax = () => Infinity,
  }: HostOptions): ActivationContext {
    const { actor, store } = this;
    const clock = this.#clock;
    return {
      actor,
      store,
      limits: this.#limits,
      monotonic: () => clock.monotonic(),
      now: () => rfc3339(clock.now()),
      newId: decisionId,
      keep: stateFreezer(),
      sagaRow,
      recordCommands,
      bytesMax,
      load: tracedLoad(stream =>
        this.#bounded(() =>
          loadState(actor, store, stream, this.#limits.foldChunk, reason => {
            this.counts.quarantined++;
            logger.error(`${stream} cannot be read and is put into quarantine: ${reason}`);
          }),
        ).catch((error: unknown) => {
          if (plainError(error).type === "UNREADABLE_HERE") this.#tellUnreadable(logger, stream, error as Error);
          throw error;
        }),
      ),
      prepare: preparing(actor, broker!, clock, this.#limits.prepareMs),
      onDrop: activation => {
        if (this.#activations.get(activation.id) === activation) this.#activations.delete(activation.id);
      },
      onBug: (id, state, error) => {
        const message = `${actor.contract.actor}.${id}: ${error.message}`;
        // The call at hand may be another one's, whose end let this command begin: its line would name a wrong request.
        workForNobody(() => {
          try {
            logger.error(message, { state, error });
          } catch {
            // A logger that writes JSON throws for some of these states.
            logger.error(message);
          }
        });
      },
      count: what => void (what === "command" ? this.counts.commands++ : this.counts.conflicts++),
    };
  }

  /** Warns once a minute about a stream: its callers try again all the time. */
  #tellUnreadable(logger: HostOptions["logger"], stream: string, { message }: Error): void {
    const now = this.#clock.monotonic();
    if (now - (this.#unreadable.get(stream) ?? -Infinity) < this.#limits.unreadableTellMs) return;
    if (this.#unreadable.size >= this.#limits.unreadableTold) this.#unreadable.clear();
    this.#unreadable.set(stream, now);
    logger.warn?.(`${stream} cannot be read by this node, another may: ${message}`);
  }
}

const cycle = (actors: readonly string[]): Bug => actorErrors.CALL_CYCLE({ actors: actors.join(" > "), cycle: actors });
