// The answers of one activation, new ones and repeated ones. Guards P3: a command id that was answered gets that answer
// again, from the newest answers in memory or from the command's row in the store.
import type { Reply } from "../contract/index.ts";
import type { EventStore, RecordedCommand } from "../event-store/index.ts";
import type { Refusal, Bug, CommandId } from "../kernel/index.ts";
import { answerOf, answerToRepeat, isRepeat, toAbandoner } from "./answers.ts";
import type { Mailbox } from "./mailbox.ts";
import type { Decided } from "./pipeline.ts";
import type { Command, Read, Request } from "./request.ts";
import { actorErrors } from "./errors.ts";

export class Replies {
  readonly #id: string;
  readonly #mailbox: Mailbox;
  readonly #recentMax: number;
  /** The newest answered commands, by id. */
  #recent: Map<string, RecordedCommand> | undefined;

  constructor(id: string, mailbox: Mailbox, recentMax: number) {
    this.#id = id;
    this.#mailbox = mailbox;
    this.#recentMax = recentMax;
  }

  /** The first answer of a repeated command, if it is in memory. */
  toRepeat(command: Command): Reply | Refusal | Bug | undefined {
    const first = this.#recent?.get(command.commandId);
    return first && replayOf(this.#id, first, command);
  }

  /** The answer of the command with this id, if it is in memory. */
  ofCommand(commandId: CommandId): Reply | Refusal | Bug | undefined {
    const first = this.#recent?.get(commandId);
    return first && answerOf(this.#id, first);
  }

  /** The decision has committed: its answer leaves. */
  committed({ request, answer, record, version, state }: Decided): void {
    if (record) this.#remember(record);
    if ("read" in request) this.#mailbox.answerOne(request.read.settle, { id: this.#id, version, state });
    else if ("abandon" in request) this.#mailbox.answerOne(request.abandon.settle, { executed: false });
    else this.#mailbox.answer(request, answer!);
  }

  /** The store had executed the command before: that answer leaves. */
  repeated(request: Request, first: RecordedCommand): void {
    if ("abandon" in request) this.#mailbox.answerOne(request.abandon.settle, toAbandoner(answerOf(this.#id, first)));
    else if ("command" in request) {
      this.#remember(first);
      // A command whose own append was stored, and whose reply got lost, is no repetition.
      const { command, mayBeStored } = request;
      this.#mailbox.answer(request, (mayBeStored ? answerToRepeat : replayOf)(this.#id, first, command));
    }
  }

  /** As `repeated`, before anything was decided. */
  repeatedUnprepared(request: Request, command: Command, first: RecordedCommand): void {
    this.#mailbox.answer(request, replayOf(this.#id, first, command));
  }

  /**
   * Answers a request to an archived stream: a command that was executed before gets its first answer. No other command
   * ever takes effect there, so its refusal need not be recorded.
   */
  async archived(store: EventStore, stream: string, request: Exclude<Request, { read: Read }>): Promise<void> {
    const isRepeatable = "abandon" in request || request.command.explicit;
    const commandId = "abandon" in request ? request.abandon.abandon : request.command.commandId;
    try {
      const first = isRepeatable ? await store.findCommand(stream, commandId) : undefined;
      if (first) this.repeated(request, first);
      else if ("abandon" in request) this.#mailbox.answerOne(request.abandon.settle, { executed: false });
      else this.#mailbox.answer(request, actorErrors.ARCHIVED({ stream }));
    } catch (error) {
      this.#mailbox.answer(request, error as Error);
    }
  }

  #remember(record: RecordedCommand): void {
    this.#recent ??= new Map();
    this.#recent.set(record.commandId, record);
    if (this.#recent.size > this.#recentMax) this.#recent.delete(this.#recent.keys().next().value!);
  }
}

function replayOf(id: string, first: RecordedCommand, command: Command): Reply | Refusal | Bug {
  if (isRepeat(first, command)) command.onReplay?.();
  return answerToRepeat(id, first, command);
}

/** The failed commands that the store has executed already: a repetition whose decision fails gets its first answer. */
export async function executedBefore(
  store: EventStore,
  stream: string,
  requests: readonly Request[],
): Promise<ReadonlyMap<Request, RecordedCommand>> {
  const executed = new Map<Request, RecordedCommand>();
  for (const request of requests) {
    if (!request.hasFailed || !("command" in request) || !request.command.explicit) continue;
    const first = await store.findCommand(stream, request.command.commandId);
    if (first) executed.set(request, first);
  }
  return executed;
}
