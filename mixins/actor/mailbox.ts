// The bounded queue before one actor. Guards P2 (one order per actor), and P3 (once per command id) for repetitions of a
// command that has no answer yet.
//
//   1. admit     a request takes a slot, or is refused with `MAILBOX_FULL`: it was never decided (outcome none). The slot
//                is held until the answer leaves, so requests that wait, are decided or commit are bounded together.
//   2. join      a repetition of a command that is in here takes a slot but no turn: it gets the same answer.
//   3. wait      in the order of arrival. Requests that lost to a conflict go back to the front, in their order.
//   4. expire    a command whose deadline has passed gets `DEADLINE_PASSED` instead of its turn.
//   5. answer    frees the slots of the caller and of the repetitions that joined.
//
// Nothing in here outlives a crash: no answer has left, so each caller repeats its command under the same id.
import { outcomeOf, Unavailable } from "../kernel/index.ts";
import type { Reply } from "../contract/index.ts";
import { idReused, isRepeat } from "./answers.ts";
import type { Command, Request } from "./request.ts";
import { callErrors } from "../contract/index.ts";
import { actorErrors } from "./errors.ts";

type Settle = (answer: Reply | Error) => void;

/** A command that has no answer yet, and the repetitions of it that wait for the same one. */
interface InFlight {
  readonly kind: string;
  readonly fingerprint: string;
  readonly joined: Settle[];
}

export class Mailbox {
  readonly #stream: string;
  readonly #slotsMax: number;
  readonly #waiting: Request[] = [];
  #slots = 0;
  /** By command id, for ids that a caller can repeat while they are in flight. */
  #inFlight: Map<string, InFlight> | undefined;

  constructor(stream: string, slotsMax: number) {
    this.#stream = stream;
    this.#slotsMax = slotsMax;
  }

  /** No request waits, and none is under way. */
  get isIdle(): boolean {
    return this.#slots === 0;
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** Requests that wait for their turn. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Takes a slot for the request that `settle` answers, or answers it with `MAILBOX_FULL`. */
  admit(settle: (answer: Error) => void): boolean {
    if (this.#slots < this.#slotsMax) return ++this.#slots > 0;
    settle(actorErrors.MAILBOX_FULL({ stream: this.#stream }));
    return false;
  }

  /** As `admit`, and from here on repetitions of the command join it. */
  admitCommand({ explicit, commandId, kind, fingerprint, settle }: Command): boolean {
    if (!this.admit(settle)) return false;
    if (explicit) {
      this.#inFlight ??= new Map();
      this.#inFlight.set(commandId, { kind, fingerprint, joined: [] });
    }
    return true;
  }

  /** Whether the command's id is in flight. Then it waits for that answer, or is refused as another command under the id. */
  join(command: Command): boolean {
    const first = this.#inFlight?.get(command.commandId);
    if (!first) return false;
    if (!isRepeat(first, command)) command.settle(idReused());
    else {
      command.onReplay?.();
      if (this.admit(command.settle)) first.joined.push(command.settle);
    }
    return true;
  }

  /** Whether the id is in flight. Then `settle` is called with the answer of its command, whichever it is. */
  joinById(commandId: string, settle: Settle): boolean {
    const first = this.#inFlight?.get(commandId);
    if (!first) return false;
    if (this.admit(settle)) first.joined.push(settle);
    return true;
  }

  push(request: Request): void {
    this.#waiting.push(request);
  }

  next(): Request | undefined {
    return this.#waiting.shift();
  }

  /** Before all that wait, in their order. */
  putBack(requests: readonly Request[]): void {
    for (const request of requests) if ("command" in request) request.command.trace?.waits();
    this.#waiting.unshift(...requests);
  }

  /** Answers a command whose deadline has passed; whether it had. */
  expire(request: Request, { deadline }: Command, now: number, why: string): boolean {
    const isLate = now > deadline;
    if (!isLate) return false;
    this.answer(request, callErrors.DEADLINE_PASSED({ message: `${this.#stream}: ${why}` }));
    return true;
  }

  /** Answers all that wait. */
  fail(error: Error): void {
    for (const request of this.#waiting.splice(0)) this.answer(request, error);
  }

  /** Answers the caller, and the repetitions that joined. */
  answer(request: Request, given: Reply | Error): void {
    const answer = request.mayBeStored ? withUnknownOutcome(given) : given;
    if (!("command" in request)) {
      const settle = "read" in request ? request.read.settle : request.abandon.settle;
      return this.answerOne(settle as Settle, answer);
    }
    const { commandId, explicit, settle, trace } = request.command;
    trace?.end();
    const joined = explicit ? this.#inFlight?.get(commandId)?.joined : undefined;
    if (explicit) this.#inFlight?.delete(commandId);
    this.answerOne(settle, answer);
    for (const repetition of joined ?? []) this.answerOne(repetition, answer);
  }

  answerOne<T>(settle: (answer: T) => void, answer: T): void {
    this.#slots--;
    settle(answer);
  }
}

/** A failure after an append that may be stored: the caller may repeat the command only under the same id. */
function withUnknownOutcome<T>(answer: T): T | Unavailable {
  if (!(answer instanceof Unavailable) || outcomeOf(answer) === "unknown") return answer;
  const { type, message, data } = answer;
  const { retryAfterMs = 100, elsewhere = false } = data;
  return new Unavailable(type, { message, outcome: "unknown", retryAfterMs, elsewhere, cause: answer });
}
