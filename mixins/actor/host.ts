// All activations of one actor type in this process: activated on first call, one each, and passivated when idle.
import { setTimeout as sleep } from "node:timers/promises";
import {
  asError,
  autoCommandId,
  Bug,
  CALL_CHAIN,
  fingerprintOf,
  isAutoCommandId,
  isPrintable,
  isRefusal,
  isRetryable,
  plainError,
  Refusal,
  rfc3339,
  systemClock,
  type Clock,
  type CommandId,
} from "../kernel/index.ts";
import { callErrors, typedCall, type HistoryEntry, type Reply, type Snapshot, type WhatIf } from "../contract/index.ts";
import type { EventStore, SagaRow } from "../event-store/index.ts";
import { Activation, type Command, type Surroundings } from "./activation.ts";
import type { Actor } from "./define-actor.ts";
import { stateFreezer } from "./frozen.ts";
import { decisionId, history, stateAt, whatIf } from "./history.ts";
import { ACTOR_LIMITS, type ActorLimits } from "./limits.ts";
import { loadState } from "./load.ts";
import { actorErrors } from "./errors.ts";

export interface ExecuteOptions {
  /** Default: made by the runtime; its answer is then recorded only if something happened. */
  readonly commandId?: string | undefined;
  /** Whether the command may have been executed already, by another activation. */
  readonly repeated?: boolean | undefined;
  /** On the monotonic clock (`performance.now()`). Default: none. */
  readonly deadline?: number | undefined;
  readonly metadata?: { readonly user?: string; readonly requestId?: string } | undefined;
  /** Actors that wait for this command, `a>b`. */
  readonly chain?: string | undefined;
  /** Told, before the answer, that it is the recorded one of an earlier attempt. */
  readonly onReplay?: (() => void) | undefined;
}

export interface ReadOptions {
  /** Ask the store, however fresh what is in memory. */
  readonly consistent?: boolean | undefined;
  /** Actors that wait for this read, `a>b`. */
  readonly chain?: string | undefined;
}

export interface HostOptions {
  readonly logger: { error(...message: unknown[]): void; warn?(...message: unknown[]): void };
  /** What `prepare` calls with: a broker. Needed only where a command declares `prepare`. */
  readonly broker?: object;
  readonly limits?: Partial<ActorLimits>;
  readonly clock?: Clock;
  /** Row of the list of open sagas, written with each append that has events. */
  readonly sagaRow?: (id: string, state: any) => SagaRow | undefined;
  /** Whether events carry the command that made them, for `whatIf`. Default true. */
  readonly recordCommands?: boolean;
  /** Bytes of an event's data, and of a command's answer: what is committed must be carried. Default: no limit. */
  readonly bytesMax?: () => number;
}

export class ActorHost {
  readonly actor: Actor;
  readonly store: EventStore;
  readonly #activations = new Map<string, Activation>();
  readonly #house: Surroundings;
  readonly #limits: ActorLimits;
  readonly #clock: Clock;
  readonly #sweeper: NodeJS.Timeout;
  /** Owned by another node, and still busy here. */
  #leaving = new Set<Activation>();
  /** When the log was last told of a stream that cannot be read here. */
  readonly #unreadable = new Map<string, number>();
  readonly #loads: { running: number; readonly waiting: (() => void)[] } = { running: 0, waiting: [] };
  readonly counts = { commands: 0, conflicts: 0, activations: 0, passivations: 0, quarantined: 0 };
  #draining = false;

  constructor(actor: Actor, store: EventStore, options: HostOptions) {
    this.actor = actor;
    this.store = store;
    this.#limits = { ...ACTOR_LIMITS, ...options.limits };
    this.#clock = options.clock ?? systemClock;
    this.#house = this.#surroundings(options);
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
    // Nobody but the node that made it can repeat the id, and that one says so.
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
      });
    };
    return this.#ask(id, chain, ask, begins);
  }

  /** State and version. At most 1 s stale; `consistent` asks the store. */
  get(id: string, { consistent = false, chain = "" }: ReadOptions = {}): Promise<Snapshot<any>> {
    return this.#ask(id, chain, (activation, settle) => activation.read(consistent, settle));
  }

  /** What became of a command: executed with its answer, or from now on refused as `ABANDONED`. */
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
  stateAt(id: string, version: number): Promise<Snapshot<any>> {
    return stateAt(this.actor, this.store, id, this.streamOf(id), version, this.#limits.foldChunk);
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

  /** What another node owns by the current view leaves memory: at once, or as soon as its mailbox is empty. */
  handOver(isOurs: (id: string) => boolean): void {
    const others = [...this.#activations.values()].filter(({ id }) => !isOurs(id));
    this.#leaving = new Set(others.filter(activation => !this.#passivate(activation)));
  }

  /** An id that the store cannot keep word for word would fail its batch, and the neighbours with it. */
  #wrongIn(commandId: string): Refusal | undefined {
    if (commandId.length > this.#limits.commandIdLength) return actorErrors.COMMAND_ID_TOO_LONG({ field: "commandId" });
    if (commandId === "" || !isPrintable(commandId))
      return actorErrors.BAD_COMMAND_ID({ field: "commandId", message: "is not printable text" });
    return undefined;
  }

  // ---- activation and passivation

  /** Who waits in the chain for what comes back to it would wait for ever, whether it is a command or a read. */
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
      activation = new Activation(id, this.#house, begins);
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

  /** One in a hundred at once: a Map walks over all that was deleted at its front whenever somebody begins to read it. */
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

  /** At most `concurrentLoads` at once; who ends hands its place on. */
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

  #surroundings({
    logger,
    broker,
    sagaRow,
    recordCommands = true,
    bytesMax = () => Infinity,
  }: HostOptions): Surroundings {
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
      load: stream =>
        this.#bounded(() =>
          loadState(actor, store, stream, this.#limits.foldChunk, reason => {
            this.counts.quarantined++;
            logger.error(`${stream} cannot be read and is put into quarantine: ${reason}`);
          }),
        ).catch((error: unknown) => {
          if (plainError(error).type === "UNREADABLE_HERE") this.#tellUnreadable(logger, stream, error as Error);
          throw error;
        }),
      prepare: (id, stream, command, state) => this.#prepare(broker!, id, stream, command, state),
      onForget: activation => {
        if (this.#activations.get(activation.id) === activation) this.#activations.delete(activation.id);
      },
      onBug: (id, state, error) => {
        const message = `${actor.contract.actor}.${id}: ${error.message}`;
        try {
          logger.error(message, { state, error });
        } catch {
          // A logger that writes JSON cannot write every state that is a bug.
          logger.error(message);
        }
      },
      count: what => void (what === "command" ? this.counts.commands++ : this.counts.conflicts++),
    };
  }

  /** Callers come again and again; the log is told now and then. */
  #tellUnreadable(logger: HostOptions["logger"], stream: string, { message }: Error): void {
    const now = this.#clock.monotonic();
    if (now - (this.#unreadable.get(stream) ?? -Infinity) < this.#limits.unreadableTellMs) return;
    if (this.#unreadable.size >= this.#limits.unreadableTold) this.#unreadable.clear();
    this.#unreadable.set(stream, now);
    logger.warn?.(`${stream} cannot be read by this node, another may: ${message}`);
  }

  async #prepare(broker: object, id: string, stream: string, command: Command, state: unknown): Promise<unknown> {
    const { commandId, chain, kind, params, metadata } = command;
    const now = this.#clock.monotonic();
    const deadline = Number.isFinite(command.deadline) ? command.deadline : now + this.#limits.prepareMs;
    const call = typedCall(broker);
    const headers = { [CALL_CHAIN]: chain === "" ? stream : `${chain}>${stream}` };
    const meta = metadata.user === undefined ? {} : { preparedFor: metadata.user };
    // Whatever it waits for, not only its calls: the mailbox waits with it. What comes later is not listened to.
    const ended = new AbortController();
    const timeUp = sleep(Math.min(deadline - now, TIMER_MS_MAX), LATE, { signal: ended.signal }).catch(() => LATE);
    let prepared: unknown;
    try {
      const preparing = this.actor.prepare![kind]!(
        {
          id,
          commandId,
          call: (action, params, options) => {
            const left = deadline - this.#clock.monotonic();
            const timeoutMs = Math.max(1, Math.min(options?.timeoutMs ?? Infinity, left));
            return call(action, params, {
              ...options,
              ...(Number.isFinite(timeoutMs) && { timeoutMs }),
              headers: { ...options?.headers, ...headers },
              meta: { ...options?.meta, ...meta },
            });
          },
        },
        state as never,
        params as never,
      );
      prepared = await Promise.race([preparing, timeUp]);
    } catch (error) {
      throw preparationFailed(stream, kind, error);
    } finally {
      ended.abort();
    }
    if (prepared !== LATE) return prepared;
    throw callErrors.DEADLINE_PASSED({ message: `${stream}: ${kind} was not prepared in time` });
  }
}

/** The command was never decided, whatever happened to the calls that it made: outcome none. */
function preparationFailed(stream: string, kind: string, error: unknown): Error {
  if (error instanceof Refusal || error instanceof Bug) return error;
  const { message, type, code } = asError(error) as Error & { type?: string; code?: number };
  if (isRefusal(error)) return new Refusal(error.type, { message, status: error.code });
  // Moleculer numbers some of what may pass like a refusal: an action that nobody offers, or not yet, is its 404.
  if (isRetryable(error) || (code !== undefined && code >= 500 && type !== undefined))
    return actorErrors.PREPARE_FAILED({ stream, command: kind, reason: message, cause: error });
  return new Bug(actorErrors.PREPARE_FAILED.code, `${stream}: ${kind} could not prepare: ${message}`, { cause: error });
}

const LATE = Symbol("late");
/** Node's timers take no more: longer ones fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

const cycle = (actors: readonly string[]): Bug => actorErrors.CALL_CYCLE({ actors: actors.join(" > "), cycle: actors });
