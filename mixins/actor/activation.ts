// One actor in memory. Guards P1 (a reply leaves after its commit), P2 (one after another) and P3 (once per command id).
//
//   1. mailbox       a command takes a slot and waits its turn; a twin of one that is here joins it.
//   2. prepare       if declared; the only place where the actor waits for others, until the command's deadline.
//   3. decide        on the newest state, which is folded at once; the next command is decided on the result (pipelining).
//                    All that the author's code gives is made and serialised before anything here changes: what throws is a
//                    bug of that command alone.
//   4. append        what was decided waits in the pipeline for its verdict, in order. A verdict names its append; one that
//                    comes out of turn is a bug of the store: it is told, waits for its turn, and the state is void.
//   5. settle        ok: the state of that version is durable, the answer leaves.
//                    duplicate: the first answer leaves.   conflict: another owner was faster.
//   6. recover       after anything but ok, and after a bug, the decided states are void: when the pipeline has emptied, the
//                    stream is loaded anew and what lost is decided again, in the original order. A bug leaves only when it
//                    is met again on that state: the first may have seen one that was not the stored one.
//
// An activation that a first command makes (`begins`) does not load: it presumes that there is no stream, and its append
// proves it. Nothing that rests on the presumption leaves before; proved wrong, it is a conflict like any other.
//
// Whatever leaves saw a durable state: a refusal is an append too (recorded with its id, or, for an id that nobody can
// repeat, a check that the stream is still where the decision saw it), and reads answer from the last durable version.
// A crash between append and settle loses nothing: the caller repeats under the same id and meets its recorded answer.
import {
  Bug,
  failpoint,
  isPromise,
  outcomeOf,
  Refusal,
  storableJson,
  Unavailable,
  type CommandId,
} from "../kernel/index.ts";
import type { Reply, Snapshot } from "../contract/index.ts";
import type {
  Append,
  EventStore,
  NewEvent,
  RecordedCommand,
  SagaRow,
  TimerChange,
  Verdict,
} from "../event-store/index.ts";
import {
  ABANDON,
  answerOf,
  answerToRepeat,
  idReused,
  isRepeat,
  recordRefusal,
  recordReply,
  toAbandoner,
} from "./answers.ts";
import { decide, decisionFailed, decisionOf } from "./decision.ts";
import { initialOf, type Actor, type Timer } from "./define-actor.ts";
import type { ActorLimits } from "./limits.ts";
import type { Loaded } from "./load.ts";
import { oversizeOf } from "./oversize.ts";
import { callErrors } from "../contract/index.ts";
import { actorErrors } from "./errors.ts";

/** A command on its way through an activation. */
export interface Command {
  readonly kind: string;
  readonly params: unknown;
  readonly commandId: CommandId;
  /** Whether somebody else can know the id and repeat it: then its answer is recorded, a refusal included. */
  readonly explicit: boolean;
  readonly fingerprint: string;
  /** On the monotonic clock. A command whose deadline has passed is not decided. */
  readonly deadline: number;
  readonly metadata: { readonly user?: string; readonly requestId?: string };
  /** The actors that wait for this command. */
  readonly chain: string;
  readonly settle: (answer: Reply | Error) => void;
  /** Told, before it is settled, that its answer is that of an earlier attempt. */
  readonly onReplay?: (() => void) | undefined;
}
/** A read that cannot be answered from memory: it takes part in the pipeline, so that it is in order. */
export interface Read {
  readonly settle: (answer: Snapshot<unknown> | Error) => void;
}
/** Records an id as refused before its command arrives, or finds what the command answered. */
export interface Abandon {
  readonly abandon: CommandId;
  readonly settle: (answer: { executed: boolean; answer?: unknown } | Error) => void;
}
type Request = {
  attempts: number;
  /** One of its appends was sent and its outcome is not known: from now on no answer says that nothing happened. */
  mayBeStored: boolean;
  /** Its decision was a bug on a state that may not have been the stored one. */
  hasFailed: boolean;
} & ({ command: Command } | { read: Read } | { abandon: Abandon });
const UNTRIED = { attempts: 0, mayBeStored: false, hasFailed: false };

/** What was decided and waits for its verdict. */
interface Decided {
  readonly request: Request;
  readonly version: number;
  readonly state: unknown;
  /** Monotonic time at which the store was asked. */
  readonly askedAt: number;
  /** Whether later decisions stand on it. */
  readonly changes: boolean;
  /** What leaves on ok. */
  readonly answer: Reply | Refusal | undefined;
  /** The command's own row, kept among the recent ones on ok. */
  readonly record: RecordedCommand | undefined;
  /** The store's answer, until it is this one's turn. */
  verdict: Verdict | undefined;
}

export interface Surroundings {
  readonly actor: Actor;
  readonly store: EventStore;
  readonly limits: ActorLimits;
  readonly monotonic: () => number;
  /** RFC 3339, for decisions. */
  readonly now: () => string;
  /** Loads and folds the stream. */
  readonly load: (stream: string) => Promise<Loaded>;
  readonly prepare: (id: string, stream: string, command: Command, state: unknown) => Promise<unknown>;
  sagaRow?: ((id: string, state: unknown) => SagaRow | undefined) | undefined;
  readonly recordCommands: boolean;
  /** Bytes of an event's data, and of a command's answer. */
  readonly bytesMax: () => number;
  readonly newId: (stream: string, version: number, n: number) => string;
  /** Freezes, so that a decision or a fold that changes a state throws. */
  readonly keep: <S>(state: S) => S;
  readonly onBug: (id: string, state: unknown, error: Error) => void;
  readonly onForget: (activation: Activation) => void;
  readonly count: (what: "command" | "conflict") => void;
}

export class Activation {
  readonly id: string;
  readonly stream: string;
  /** Monotonic time of the last use, for passivation. */
  usedAt: number;
  readonly #house: Surroundings;
  /** The newest decided state; ahead of the durable one by what is in the pipeline. */
  #state: unknown;
  #version = 0;
  #durableState: unknown;
  #durableVersion = 0;
  /**
   * Monotonic time of the last proof that the durable version is the stream's head. A proof is as old as its question:
   * a process that is paused before it takes the answer in must not serve it as fresh for another second.
   */
  #provenAt = -Infinity;
  readonly #mailbox: Request[] = [];
  readonly #pipeline: Decided[] = [];
  /** Lost to a conflict, to be decided again. */
  #again: Request[] = [];
  #phase: "loading" | "running" | "recovering" = "loading";
  /** Nobody has looked yet whether there is a stream. */
  #presumed = false;
  /** Its events lie in the cold part: it is read, and answers what it has answered before. */
  #archived = false;
  /** A command prepares: the mailbox waits, the pipeline goes on. */
  #preparing = false;
  #cautious = 0;
  #slots = 0;
  /** Callers by command id, for ids that can be repeated while they are in flight. */
  #inFlight:
    Map<string, { kind: string; fingerprint: string; joined: ((answer: Reply | Error) => void)[] }> | undefined;
  #recent: Map<string, RecordedCommand> | undefined;
  #snapshotVersion = 0;
  #snapshotAt = -Infinity;

  /** `begins`: presumes a new actor instead of loading it. */
  constructor(id: string, house: Surroundings, begins = false) {
    this.#house = house;
    this.id = id;
    this.stream = `${house.actor.contract.actor}.${id}`;
    this.usedAt = house.monotonic();
    if (begins) {
      this.#state = this.#durableState = house.keep(initialOf(house.actor));
      this.#presumed = true;
      this.#phase = "running";
    } else void this.#load();
  }

  /** Nothing waits, nothing is under way: the activation may leave memory. */
  get idle(): boolean {
    return this.#slots === 0 && this.#phase === "running";
  }

  /** Before it leaves for another node: a hot actor may have seconds of events since its last snapshot. */
  async takeLeave(): Promise<void> {
    if (this.#deservesSnapshot) await this.#saveSnapshot();
  }

  execute(command: Command): void {
    const { settle } = command;
    if (command.explicit) {
      const twin = this.#inFlight?.get(command.commandId);
      if (twin) {
        if (!isRepeat(twin, command)) return settle(idReused());
        command.onReplay?.();
        return void (this.#takeSlot(settle) && twin.joined.push(settle));
      }
      const first = this.#recent?.get(command.commandId);
      if (first) return settle(replayOf(this.id, first, command));
    }
    if (!this.#takeSlot(settle)) return;
    if (command.explicit) {
      this.#inFlight ??= new Map();
      this.#inFlight.set(command.commandId, { kind: command.kind, fingerprint: command.fingerprint, joined: [] });
    }
    this.#house.count("command");
    this.#enqueue({ ...UNTRIED, command });
  }

  /** Default: from memory if the last proof is younger than a second, else after a check of the head. */
  read(consistent: boolean, settle: Read["settle"]): void {
    const { limits, monotonic } = this.#house;
    if (this.#phase === "running" && !consistent && monotonic() - this.#provenAt < limits.freshMs)
      return settle({ id: this.id, version: this.#durableVersion, state: this.#durableState });
    if (this.#takeSlot(settle)) this.#enqueue({ ...UNTRIED, read: { settle } });
  }

  abandon(commandId: CommandId, settle: Abandon["settle"]): void {
    const report = (answer: Reply | Error): void => settle(toAbandoner(answer));
    const twin = this.#inFlight?.get(commandId);
    if (twin) return void (this.#takeSlot(settle) && twin.joined.push(report));
    const first = this.#recent?.get(commandId);
    if (first) return report(answerOf(this.id, first));
    if (this.#takeSlot(settle)) this.#enqueue({ ...UNTRIED, abandon: { abandon: commandId, settle } });
  }

  #takeSlot(settle: (answer: Error) => void): boolean {
    if (this.#slots < this.#house.limits.mailboxSlots) return ++this.#slots > 0;
    settle(actorErrors.MAILBOX_FULL({ stream: this.stream }));
    return false;
  }

  #enqueue(request: Request): void {
    if (this.#mailbox.length === 0 && this.#mayDecide()) this.#take(request);
    else this.#mailbox.push(request);
  }

  #mayDecide(): boolean {
    return this.#phase === "running" && !this.#preparing && (this.#cautious === 0 || this.#pipeline.length === 0);
  }

  #work(): void {
    while (this.#mailbox.length > 0 && this.#mayDecide()) this.#take(this.#mailbox.shift()!);
  }

  // ---- deciding

  #take(request: Request): void {
    if ("read" in request) return this.#append(request, this.#check("get"), undefined);
    if (this.#archived) return void this.#answerArchived(request);
    if ("abandon" in request) {
      const refusal = actorErrors.ABANDONED();
      const { abandon: commandId } = request.abandon;
      return this.#append(request, { ...this.#check(ABANDON), commandId, answer: recordRefusal(refusal) }, refusal);
    }
    const { command } = request;
    if (this.#house.monotonic() > command.deadline)
      return this.#answer(request, callErrors.DEADLINE_PASSED({ message: `${this.stream}: not decided in time` }));
    if (this.#house.actor.prepare?.[command.kind]) void this.#prepare(request, command);
    else this.#decide(request, command, undefined);
  }

  #decide(request: Request, command: Command, prepared: unknown): void {
    let made: Made;
    try {
      made = this.#make(command, prepared);
    } catch (error) {
      return error instanceof Refusal ? this.#refuse(request, command, error) : this.#fail(request, error as Bug);
    }
    const oversize = oversizeOf(made.append, this.#house.bytesMax());
    if (oversize) return this.#refuse(request, command, oversize);
    this.#append(request, made.append, made.reply, made.state);
  }

  /** Everything that the author's code is asked for, as it will be stored. Changes nothing here, so that it may throw. */
  #make(command: Command, prepared: unknown): Made {
    const { actor, now, newId, keep, sagaRow } = this.#house;
    const { kind, explicit, fingerprint } = command;
    const at = now();
    let ids = 0;
    const decision = decisionOf(this.id, at, () => newId(this.stream, this.#version, ids++));
    const { events, timers, state: folded } = decide(actor, this.#state, kind, command.params, decision, prepared);
    const hasEvents = events.length > 0;
    try {
      const state = hasEvents ? keep(folded) : this.#state;
      const reply: Reply = { id: this.id, version: this.#version + events.length };
      const extra = actor.reply?.[kind]?.(state as never, events as never, this.id);
      if (isPromise(extra)) throw new TypeError("a reply is an object, not a promise");
      // Whose answer it is says the runtime, as it does to a repetition.
      if (extra) Object.assign(reply, extra, { id: reply.id, version: reply.version });
      // Events and timers are recorded under any id; "nothing happened" only where somebody can ask again.
      const isRecorded = explicit || hasEvents || timers.length > 0;
      const append = {
        stream: this.stream,
        expectedVersion: this.#version,
        commandId: isRecorded ? command.commandId : undefined,
        kind,
        fingerprint,
        events: events.map(({ type, data }) => this.#newEvent(type, data)),
        metadata: hasEvents ? this.#metadata(command, at, events) : "",
        answer: recordReply(reply),
        timers: timers.map(timer => this.#timerChange(timer)),
      };
      const saga = hasEvents ? sagaRow?.(this.id, state) : undefined;
      return { append: saga ? { ...append, saga } : append, reply, state };
    } catch (error) {
      // Also a refusal: it is for `decide` alone.
      throw decisionFailed(actor, this.id, kind, error);
    }
  }

  #refuse(request: Request, command: Command, refusal: Refusal): void {
    const { kind, fingerprint, explicit } = command;
    const commandId = explicit ? command.commandId : undefined;
    let answer: string;
    try {
      answer = recordRefusal(refusal);
    } catch (error) {
      return this.#fail(request, decisionFailed(this.#house.actor, this.id, kind, error));
    }
    this.#append(request, { ...this.#check(kind), commandId, fingerprint, answer }, refusal);
  }

  /**
   * A bug of the author's code, or one that it has met. It drops what is in memory, and leaves when it is met again on the
   * state that the store has: a command that the store has executed gets its first answer instead.
   */
  #fail(request: Request, bug: Bug): void {
    if (request.hasFailed && this.#pipeline.length === 0) {
      this.#house.onBug(this.id, this.#state, bug);
      return this.#answer(request, bug);
    }
    request.hasFailed = true;
    this.#lookFirst(request);
  }

  async #prepare(request: Request, command: Command): Promise<void> {
    const { store, prepare, monotonic } = this.#house;
    this.#preparing = true;
    let next: () => void;
    try {
      // A repetition is answered from the record before anything is asked of others, who may say something else today.
      const first =
        command.explicit && this.#version > 0 ? await store.findCommand(this.stream, command.commandId) : undefined;
      if (first) next = () => this.#answer(request, replayOf(this.id, first, command));
      else {
        const prepared = await prepare(this.id, this.stream, command, this.#state);
        next =
          monotonic() > command.deadline
            ? () => this.#answer(request, callErrors.DEADLINE_PASSED({ message: `${this.stream}: too late` }))
            : () => this.#decide(request, command, prepared);
      }
    } catch (error) {
      next = () => {
        if (error instanceof Refusal) this.#refuse(request, command, error);
        else if (error instanceof Bug) this.#fail(request, error);
        else if (this.#presumed) this.#lookFirst(request);
        else this.#answer(request, error as Error);
      };
    }
    this.#preparing = false;
    if (this.#phase === "running") {
      next();
      this.#work();
    } else {
      // The pipeline lost to a conflict meanwhile: the state is void, and so is what was prepared for it.
      this.#again.push(request);
      this.#recoverWhenEmpty();
    }
  }

  /** What was executed before gets its first answer. Nothing else ever takes effect, so a refusal need not be recorded. */
  async #answerArchived(request: Exclude<Request, { read: Read }>): Promise<void> {
    const isRepeatable = "abandon" in request || request.command.explicit;
    const commandId = "abandon" in request ? request.abandon.abandon : request.command.commandId;
    try {
      const first = isRepeatable ? await this.#house.store.findCommand(this.stream, commandId) : undefined;
      if (first) this.#answerFirst(request, first);
      else if ("abandon" in request) this.#answerWith(request.abandon.settle, { executed: false });
      else this.#answer(request, actorErrors.ARCHIVED({ stream: this.stream }));
    } catch (error) {
      this.#answer(request, error as Error);
    }
  }

  // ---- appending and settling

  /** An append that writes nothing: it only finds out whether the stream is still where the state was seen. */
  #check(kind: string): Append {
    return {
      stream: this.stream,
      expectedVersion: this.#version,
      commandId: undefined,
      kind,
      fingerprint: "",
      events: [],
      metadata: "",
      answer: null,
    };
  }

  #append(request: Request, append: Append, answer: Reply | Refusal | undefined, state: unknown = this.#state): void {
    this.#state = state;
    this.#version += append.events.length;
    const explicit = "command" in request && request.command.explicit;
    const decided: Decided = {
      request,
      version: this.#version,
      state,
      askedAt: this.#house.monotonic(),
      changes: append.events.length > 0,
      answer,
      record: explicit ? recordOf(append, this.#version) : undefined,
      verdict: undefined,
    };
    this.#pipeline.push(decided);
    this.#house.store.append(append, verdict => this.#settle(decided, verdict));
  }

  #settle(decided: Decided, verdict: Verdict): void {
    const isSecond = decided.verdict !== undefined;
    if (isSecond || this.#pipeline[0] !== decided) this.#misled(decided, verdict, isSecond);
    if (!isSecond) decided.verdict = verdict;
    for (let first = this.#pipeline[0]; first?.verdict; first = this.#pipeline[0]) {
      this.#pipeline.shift();
      this.#conclude(first, first.verdict);
    }
    if (this.#phase === "recovering") this.#recoverWhenEmpty();
    else this.#work();
  }

  /** The store breaks its word, so nothing that was decided on it is trusted. */
  #misled({ version }: Decided, { kind }: Verdict, isSecond: boolean): void {
    const what = isSecond ? "a second verdict" : "a verdict ahead of those before it";
    const message = `${this.stream}: the store gave ${what}, ${kind}, for version ${version}`;
    this.#house.onBug(this.id, this.#state, actorErrors.VERDICT_OUT_OF_TURN({ message }));
    if (this.#phase === "running") this.#void();
  }

  #conclude(decided: Decided, verdict: Verdict): void {
    const { request } = decided;
    if (verdict.kind === "ok") {
      this.#durableState = decided.state;
      this.#durableVersion = decided.version;
      this.#provenAt = decided.askedAt;
      this.#presumed = false;
      if (this.#cautious > 0) this.#cautious--;
      failpoint("actor:before-reply");
      if (decided.record) this.#remember(decided.record);
      this.#answerDecided(decided);
      this.#snapshot();
      return;
    }
    // Nothing stands on a repetition that decided nothing: its first answer leaves, the state is as good as before.
    const harmless = verdict.kind === "duplicate" && !decided.changes && this.#pipeline.length === 0;
    if (!harmless) this.#void();
    if (verdict.kind === "duplicate") this.#answerFirst(request, verdict.first);
    else if (verdict.kind === "failed") this.#answer(request, verdict.error);
    else {
      // Fenced: the stream is on another shard now, from where it is loaded. The append may have moved with it, when its
      // reply was lost before: decided again, the command is a repetition, and must not meet its own effect.
      if (verdict.kind === "fenced" && !verdict.unsent) {
        request.mayBeStored = true;
        if ("command" in request) request.command = { ...request.command, explicit: true };
      }
      if (verdict.kind === "conflict" && !this.#presumed) this.#house.count("conflict");
      this.#again.push(request);
    }
  }

  #answerDecided({ request, answer, version, state }: Decided): void {
    if ("read" in request) this.#answerWith(request.read.settle, { id: this.id, version, state });
    else if ("abandon" in request) this.#answerWith(request.abandon.settle, { executed: false });
    else this.#answer(request, answer!);
  }

  #answerFirst(request: Request, first: RecordedCommand): void {
    if ("abandon" in request) this.#answerWith(request.abandon.settle, toAbandoner(answerOf(this.id, first)));
    else if ("command" in request) {
      this.#remember(first);
      // What it has appended itself, with a reply that got lost, is no repetition.
      const { command, mayBeStored } = request;
      this.#answer(request, (mayBeStored ? answerToRepeat : replayOf)(this.id, first, command));
    }
  }

  /** An answer leaves, to the caller and to the twins that joined. */
  #answer(request: Request, given: Reply | Error): void {
    const answer = request.mayBeStored ? withUnknownOutcome(given) : given;
    if (!("command" in request)) {
      const settle = "read" in request ? request.read.settle : request.abandon.settle;
      return this.#answerWith(settle as (answer: Reply | Error) => void, answer);
    }
    const { commandId, explicit, settle } = request.command;
    const joined = explicit ? this.#inFlight?.get(commandId)?.joined : undefined;
    if (explicit) this.#inFlight?.delete(commandId);
    this.#answerWith(settle, answer);
    for (const twin of joined ?? []) this.#answerWith(twin, answer);
  }

  #answerWith<T>(settle: (answer: T) => void, answer: T): void {
    this.#slots--;
    settle(answer);
  }

  #remember(record: RecordedCommand): void {
    this.#recent ??= new Map();
    this.#recent.set(record.commandId, record);
    if (this.#recent.size > this.#house.limits.recentCommands) this.#recent.delete(this.#recent.keys().next().value!);
  }

  // ---- loading and recovering

  /** What was decided on top of a lost append is void. */
  #void(): void {
    this.#phase = "recovering";
  }

  /** Loads the stream before a failure leaves: the command may be a repetition, or the state out of date or presumed. */
  #lookFirst(request: Request): void {
    this.#again.push(request);
    this.#void();
    this.#recoverWhenEmpty();
  }

  #recoverWhenEmpty(): void {
    if (this.#phase === "recovering" && !this.#preparing && this.#pipeline.length === 0) {
      this.#phase = "loading";
      this.#presumed = false;
      this.#cautious = this.#house.limits.cautiousCommits;
      void this.#load();
    }
  }

  async #load(): Promise<void> {
    const askedAt = this.#house.monotonic();
    try {
      const { version, state, snapshotVersion, archived } = await this.#house.load(this.stream);
      // After the load: what it did not find yet has no effect on the state that is loaded.
      const executed = await this.#executedBefore(this.#again);
      this.#state = this.#durableState = this.#house.keep(state);
      this.#version = this.#durableVersion = version;
      this.#snapshotVersion = snapshotVersion;
      this.#archived = archived;
      this.#provenAt = askedAt;
      this.#phase = "running";
      for (const [request, first] of executed) this.#answerFirst(request, first);
      if (executed.size > 0) this.#again = this.#again.filter(request => !executed.has(request));
    } catch (error) {
      // Loaded again by the next caller: until then nothing is known, so nothing is trusted.
      this.#phase = "recovering";
      for (const request of [...this.#again.splice(0), ...this.#mailbox.splice(0)])
        this.#answer(request, error as Error);
      this.#house.onForget(this);
      return;
    }
    const again = this.#again;
    this.#again = [];
    const lost = again.filter(request => ++request.attempts > this.#house.limits.decisionsMax);
    for (const request of lost) this.#answer(request, actorErrors.CONTENTION({ stream: this.stream }));
    this.#mailbox.unshift(...again.filter(request => !lost.includes(request)));
    this.#work();
  }

  /** Finds which failed commands the store has executed already: a repetition whose decision fails gets its first answer. */
  async #executedBefore(requests: readonly Request[]): Promise<Map<Request, RecordedCommand>> {
    const executed = new Map<Request, RecordedCommand>();
    for (const request of requests) {
      if (!request.hasFailed || !("command" in request) || !request.command.explicit) continue;
      const first = await this.#house.store.findCommand(this.stream, request.command.commandId);
      if (first) executed.set(request, first);
    }
    return executed;
  }

  // ---- what is written

  #newEvent(type: string, data: unknown): NewEvent {
    const { versions } = this.#house.actor.contract;
    const text = storableJson(data, type);
    // Stored, it would be damage: every node would put the stream into quarantine.
    if (!text.startsWith("{")) throw new TypeError(`${type}: its data is no object`);
    return { type, schemaVersion: versions[type] ?? 1, data: text };
  }

  /** Who and in what course, and what `whatIf` needs to decide again: the command, its instant and its params. */
  #metadata({ kind, params, commandId, explicit, metadata }: Command, now: string, events: readonly unknown[]): string {
    return JSON.stringify({
      ...metadata,
      ...(explicit && { commandId }),
      ...(this.#house.recordCommands && {
        command: kind,
        params,
        now,
        ...(events.length > 1 && { events: events.length }),
      }),
    });
  }

  #timerChange(timer: Timer<any>): TimerChange {
    if ("cancel" in timer) return { cancel: `${this.stream}/${timer.cancel}` };
    const { set, afterMs, command, params } = timer as {
      set: string;
      afterMs: number;
      command: string;
      params: unknown;
    };
    return { set: `${this.stream}/${set}`, afterMs, command, params: storableJson(params, `timer ${set}`) };
  }

  /** Of a durable version only, and off the command's path: nobody waits for it, and a lost one costs a longer load. */
  #snapshot(): void {
    const { limits, monotonic } = this.#house;
    if (!this.#deservesSnapshot) return;
    const now = monotonic();
    if (now - this.#snapshotAt < limits.snapshotIntervalMs) return;
    this.#snapshotAt = now;
    void this.#saveSnapshot();
  }

  get #deservesSnapshot(): boolean {
    const { snapshotEvery = 100 } = this.#house.actor;
    return !this.#archived && this.#durableVersion - this.#snapshotVersion >= snapshotEvery;
  }

  async #saveSnapshot(): Promise<void> {
    const { actor, store } = this.#house;
    this.#snapshotVersion = this.#durableVersion;
    failpoint("snapshot:before-save");
    let state: string;
    try {
      state = storableJson(this.#durableState, "state");
    } catch (error) {
      const bug = actorErrors.SNAPSHOT_FAILED({
        stream: this.stream,
        version: this.#durableVersion,
        reason: String(error),
        cause: error,
      });
      return this.#house.onBug(this.id, this.#durableState, bug);
    }
    const snapshot = { version: this.#durableVersion, schema: actor.snapshotSchema ?? 1, state };
    // Without it the next activation folds more events, that is all.
    await store.saveSnapshot(this.stream, snapshot).catch(() => {});
  }
}

/** The append, reply and state that a decision makes. */
interface Made {
  readonly append: Append;
  readonly reply: Reply;
  readonly state: unknown;
}

/** Whatever fails after an append that may be stored: the caller may repeat it only under the same id. */
function withUnknownOutcome<T>(answer: T): T | Unavailable {
  if (!(answer instanceof Unavailable) || outcomeOf(answer) === "unknown") return answer;
  const { type, message, data } = answer;
  const { retryAfterMs = 100, elsewhere = false } = data;
  return new Unavailable(type, { message, outcome: "unknown", retryAfterMs, elsewhere, cause: answer });
}

function replayOf(id: string, first: RecordedCommand, command: Command): Reply | Refusal {
  if (isRepeat(first, command)) command.onReplay?.();
  return answerToRepeat(id, first, command);
}

const recordOf = ({ commandId, kind, fingerprint, answer }: Append, version: number): RecordedCommand => ({
  commandId: commandId!,
  kind,
  fingerprint,
  version,
  answer,
});
