// One actor in memory. Guards P1 (a reply leaves after its commit), P2 (one after another) and P3 (once per command id).
//
//   1. wait       a request waits for its turn in the mailbox (mailbox.ts).
//   2. prepare    if the command declares it; meanwhile the mailbox waits and the pipeline goes on (preparing.ts).
//   3. decide     on the newest state, which is folded at once, so that the next command is decided on the result before
//                 this one is durable (appends.ts).
//   4. commit     the decision waits in the pipeline for the store's verdict (pipeline.ts).
//   5. conclude   ok: the state of that version is durable, and the answer leaves.
//                 duplicate: the first answer leaves.   conflict: another owner was faster.
//   6. recover    after anything but ok, and after a bug, the decided states are void: when the pipeline has emptied, the
//                 stream is loaded anew and the requests that lost are decided again, in their order. A bug is answered only
//                 when it happens again on the stored state: the first time the state may have been another one.
//
// The phases in which these steps happen are one tagged union (life.ts). An activation that a first command makes (`begins`)
// does not load: it presumes that there is no stream, and its append proves it. No answer that rests on the presumption
// leaves before; proved wrong, it is a conflict like any other.
//
import type { Unavailable } from "../kernel/index.ts";
import { Bug, type CommandId, Refusal } from "../kernel/index.ts";
import type { Reply } from "../contract/index.ts";
import type { Append, RecordedCommand, Verdict } from "../event-store/index.ts";
import type { Span } from "../tracing/index.ts";
import { toAbandoner } from "./answers.ts";
import { initialOf } from "./define-actor.ts";
import { failpoint } from "./failpoints.ts";
import type { ActivationContext } from "./activation-context.ts";
import { abandonment, headCheck, made, recordOf, refused, type Basis, type Made } from "./appends.ts";
import { Durable } from "./durable.ts";
import { DROPPED, footingOf, LOADING, noteCommit, voidedFrom, type Life, type Running, type Voided } from "./life.ts";
import { Mailbox } from "./mailbox.ts";
import { Pipeline, type Decided, type PipelineOwner } from "./pipeline.ts";
import { prepared, type Prepared } from "./preparing.ts";
import { executedBefore, Replies } from "./replies.ts";
import { UNTRIED, type Abandon, type Command, type Read, type Request } from "./request.ts";
import { actorErrors } from "./errors.ts";

export class Activation implements PipelineOwner {
  readonly id: string;
  readonly stream: string;
  /** Monotonic time of the last use, for passivation. */
  usedAt: number;
  readonly #context: ActivationContext;
  readonly #mailbox: Mailbox;
  readonly #pipeline: Pipeline;
  readonly #replies: Replies;
  readonly #durable: Durable;
  #life: Life;
  /** The newest decided state; ahead of the durable one by the decisions in the pipeline. */
  #state: unknown;
  #version = 0;

  /** `begins`: presumes a new actor instead of loading it. */
  constructor(id: string, context: ActivationContext, begins = false) {
    this.#context = context;
    this.id = id;
    this.stream = `${context.actor.contract.actor}.${id}`;
    this.usedAt = context.monotonic();
    this.#mailbox = new Mailbox(this.stream, context.limits.mailboxSlots);
    this.#replies = new Replies(id, this.#mailbox, context.limits.recentCommands);
    this.#durable = new Durable(id, this.stream, context);
    this.#pipeline = new Pipeline(context.store, this);
    if (begins) {
      this.#state = this.#durable.state = context.keep(initialOf(context.actor));
      this.#life = { phase: "running", footing: "presumed", cautious: 0 };
    } else {
      this.#life = LOADING;
      void this.#load([], 0);
    }
  }

  /** No request waits or is under way: the activation may leave memory. */
  get idle(): boolean {
    return this.#mailbox.isIdle && this.#life.phase === "running";
  }

  /** Requests that wait for their turn. */
  get waiting(): number {
    return this.#mailbox.waiting;
  }

  /** Before it leaves for another node: a hot actor may have seconds of events since its last snapshot. */
  async takeLeave(): Promise<void> {
    if (footingOf(this.#life) !== "archived") await this.#durable.takeSnapshot();
  }

  execute(command: Command): void {
    if (command.explicit) {
      if (this.#mailbox.join(command)) return;
      const first = this.#replies.toRepeat(command);
      if (first) return command.settle(first);
    }
    if (!this.#mailbox.admitCommand(command)) return;
    this.#context.count("command");
    this.#enqueue({ ...UNTRIED, command });
  }

  /** Default: from memory if the last proof is younger than a second, else after a check of the head. */
  read(consistent: boolean, settle: Read["settle"]): void {
    const { phase } = this.#life;
    const isSound = phase === "running" || phase === "preparing";
    if (isSound && !consistent && this.#durable.isFresh)
      return settle({ id: this.id, version: this.#durable.version, state: this.#durable.state });
    if (this.#mailbox.admit(settle)) this.#enqueue({ ...UNTRIED, read: { settle } });
  }

  abandon(commandId: CommandId, settle: Abandon["settle"]): void {
    const report = (answer: Reply | Error): void => settle(toAbandoner(answer));
    if (this.#mailbox.joinById(commandId, report)) return;
    const first = this.#replies.ofCommand(commandId);
    if (first) return report(first);
    if (this.#mailbox.admit(settle)) this.#enqueue({ ...UNTRIED, abandon: { abandon: commandId, settle } });
  }

  #enqueue(request: Request): void {
    const running = this.#mailbox.hasWaiting ? undefined : this.#deciding();
    if (running) {
      this.#context.queueWait?.observe(0);
      return this.#take(request, running);
    }
    if ("command" in request) request.command.trace?.waits();
    request.waitsSince = this.#context.monotonic();
    this.#mailbox.push(request);
  }

  #work(): void {
    while (this.#mailbox.hasWaiting) {
      const running = this.#deciding();
      if (!running) return;
      this.#take(this.#waited(this.#mailbox.next()!), running);
    }
  }

  /** Measures how long it has waited; one that is decided again is measured once. */
  #waited(request: Request): Request {
    if (request.waitsSince !== undefined)
      this.#context.queueWait?.observe((this.#context.monotonic() - request.waitsSince) / 1_000);
    request.waitsSince = undefined;
    return request;
  }

  /** The running life, if it may decide now. */
  #deciding(): Running | undefined {
    const life = this.#life;
    return life.phase === "running" && (life.cautious === 0 || this.#pipeline.isEmpty) ? life : undefined;
  }

  // ---- deciding

  #take(request: Request, running: Running): void {
    if ("read" in request) return this.#append(request, headCheck(this.#basis, "get"), undefined);
    if (running.footing === "archived") return void this.#replies.archived(this.#context.store, this.stream, request);
    if ("abandon" in request) {
      const { append, answer } = abandonment(this.#basis, request.abandon.abandon);
      return this.#append(request, append, answer);
    }
    const { command } = request;
    if (
      this.#mailbox.expire(
        request,
        command,
        this.#context.monotonic(),
        "the command was not decided before its deadline",
      )
    )
      return;
    if (this.#context.actor.prepare?.[command.kind]) void this.#prepare(request, command, running);
    else this.#decide(request, () => made(this.#context, this.#basis, command, undefined));
  }

  get #basis(): Basis {
    return { id: this.id, stream: this.stream, version: this.#version, state: this.#state };
  }

  #decide(request: Request, make: () => Made): void {
    const trace = "command" in request ? request.command.trace : undefined;
    let decision: Made;
    try {
      decision = trace ? trace.decides(make) : make();
    } catch (error) {
      return this.#fail(request, error as Bug);
    }
    this.#append(request, decision.append, decision.answer, decision.state);
  }

  /**
   * The author's code has a bug, or has met one. The first time, the state in memory is dropped and the command decided again
   * on the stored one; the second time, the bug is the answer. A command that the store has executed gets its first answer.
   */
  #fail(request: Request, bug: Bug): void {
    if (request.hasFailed && this.#pipeline.isEmpty) {
      this.#context.onBug(this.id, this.#state, bug);
      return this.#mailbox.answer(request, bug);
    }
    request.hasFailed = true;
    this.#lookFirst(request);
  }

  async #prepare(request: Request, command: Command, running: Running): Promise<void> {
    this.#life = { phase: "preparing", running };
    const prepare = (): Promise<Prepared> => prepared(this.#context, this.#basis, command);
    const outcome = await (command.trace ? command.trace.prepares(prepare) : prepare());
    const life = this.#life as Life;
    if (life.phase === "preparing") {
      this.#life = running;
      this.#takePrepared(request, command, outcome, running);
      this.#work();
    } else if (life.phase === "voided") {
      // The pipeline lost to a conflict meanwhile: the state is void, and so is the value that was prepared for it.
      life.isPreparing = false;
      life.again.push(request);
      this.#loadWhenEmpty(life);
    }
  }

  #takePrepared(request: Request, command: Command, outcome: Prepared, { footing }: Running): void {
    if (outcome.kind === "repeated") return this.#replies.repeatedUnprepared(request, command, outcome.first);
    if (outcome.kind === "found") {
      if (
        this.#mailbox.expire(
          request,
          command,
          this.#context.monotonic(),
          "the command was not prepared before its deadline",
        )
      )
        return;
      return this.#decide(request, () => made(this.#context, this.#basis, command, outcome.value));
    }
    const { error } = outcome;
    if (error instanceof Refusal) this.#decide(request, () => refused(this.#context, this.#basis, command, error));
    else if (error instanceof Bug) this.#fail(request, error);
    else if (footing === "presumed") this.#lookFirst(request);
    else this.#mailbox.answer(request, error);
  }

  // ---- committing

  #append(request: Request, append: Append, answer: Reply | Refusal | undefined, state: unknown = this.#state): void {
    this.#state = state;
    this.#version += append.events.length;
    const explicit = "command" in request && request.command.explicit;
    const decided: Decided = {
      request,
      version: this.#version,
      state,
      askedAt: this.#context.monotonic(),
      events: append.events,
      answer,
      record: explicit ? recordOf(append, this.#version) : undefined,
      verdict: undefined,
    };
    const trace = "command" in request ? request.command.trace : undefined;
    if (trace) append.cause = trace.commits();
    this.#pipeline.append(decided, append);
  }

  /** Called by the pipeline. */
  conclude(decided: Decided, verdict: Verdict): void {
    if ("command" in decided.request) decided.request.command.trace?.concludes(decided.version, verdict);
    if (verdict.kind === "ok") return this.#committed(decided);
    const { request } = decided;
    const footing = footingOf(this.#life);
    // Nothing stands on a repetition that decided nothing: its first answer leaves, the state is as good as before.
    const isHarmless = verdict.kind === "duplicate" && decided.events.length === 0 && this.#pipeline.isEmpty;
    const voided = isHarmless ? undefined : this.#void();
    if (verdict.kind === "duplicate") this.#replies.repeated(request, verdict.first);
    else if (verdict.kind === "failed") this.#mailbox.answer(request, verdict.error);
    else {
      // Fenced: the stream is on another shard now, from where it is loaded. The append may have moved with it, when its
      // reply was lost before: decided again, the command is a repetition, and must not meet its own effect.
      if (verdict.kind === "fenced" && !verdict.unsent) {
        request.mayBeStored = true;
        if ("command" in request) request.command = { ...request.command, explicit: true };
      }
      if (verdict.kind === "conflict" && footing !== "presumed") this.#context.count("conflict");
      voided!.again.push(request);
    }
  }

  /** Called by the pipeline. */
  misled(what: string, { version }: Decided, { kind }: Verdict): void {
    const message = `${this.stream}: the store gave ${what}, ${kind}, for version ${version}`;
    this.#context.onBug(this.id, this.#state, actorErrors.VERDICT_OUT_OF_TURN({ message }));
    if (this.#life.phase === "running" || this.#life.phase === "preparing") this.#void();
  }

  /** Called by the pipeline. */
  advanced(): void {
    if (this.#life.phase === "voided") this.#loadWhenEmpty(this.#life);
    else this.#work();
  }

  #committed(decided: Decided): void {
    this.#durable.prove(decided.version, decided.state, decided.askedAt);
    noteCommit(this.#life);
    this.#context.committed(decided);
    failpoint("actor:before-reply");
    this.#replies.committed(decided);
    if (footingOf(this.#life) !== "archived") this.#durable.offerSnapshot();
  }

  // ---- recovering

  /** All that was decided on top of a lost append is void. */
  #void(): Voided {
    return (this.#life = voidedFrom(this.#life));
  }

  /** Loads the stream before a failure leaves: the command may be a repetition, or the state out of date or presumed. */
  #lookFirst(request: Request): void {
    const voided = this.#void();
    voided.again.push(request);
    this.#loadWhenEmpty(voided);
  }

  #loadWhenEmpty({ isPreparing, again }: Voided): void {
    if (isPreparing || !this.#pipeline.isEmpty) return;
    this.#life = LOADING;
    void this.#load(again, this.#context.limits.cautiousCommits);
  }

  /** `again`: requests to be decided again, before those that wait. */
  async #load(again: readonly Request[], cautious: number): Promise<void> {
    const askedAt = this.#context.monotonic();
    let executed: ReadonlyMap<Request, RecordedCommand>;
    try {
      const { version, state, snapshotVersion, archived } = await this.#context.load(this.stream, callerOf(again));
      // After the load: a command that is not found by now has no effect on the loaded state.
      executed = await executedBefore(this.#context.store, this.stream, again);
      this.#state = this.#context.keep(state);
      this.#version = version;
      this.#durable.prove(version, this.#state, askedAt);
      this.#durable.loadedFrom(snapshotVersion);
      this.#life = { phase: "running", footing: archived ? "archived" : "loaded", cautious };
      for (const [request, first] of executed) this.#replies.repeated(request, first);
    } catch (error) {
      this.#life = DROPPED;
      for (const request of again) this.#mailbox.answer(request, error as Error);
      this.#mailbox.fail(error as Error);
      return this.#context.onDrop(this);
    }
    const open = again.filter(request => !executed.has(request));
    const vain = open.filter(request => ++request.attempts > this.#context.limits.decisionsMax);
    for (const request of vain) this.#mailbox.answer(request, contention(this.stream));
    this.#mailbox.putBack(open.filter(request => !vain.includes(request)));
    this.#work();
  }
}

/** The span of the first command among those that are decided again. */
const callerOf = (again: readonly Request[]): Span | undefined => {
  const traced = again.find(request => "command" in request && request.command.trace);
  return traced && (traced as { command: Command }).command.trace!.caller;
};

const contention = (stream: string): Unavailable =>
  actorErrors.CONTENTION({ message: `${stream}: commands of another owner came first each time` });
