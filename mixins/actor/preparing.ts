// The only place where an actor waits for others: its author's `prepare`, before the command is decided. Guards P3 (a
// repetition is not prepared again: other services may answer otherwise today), and bounds how long a mailbox stands still.
//
//   1. repeated   a command id that the store has executed is answered from the record; no other service is asked.
//   2. prepare    the author's code calls others. Its calls carry the chain of waiting actors, so that a call which comes
//                 back to one of them is refused (`CALL_CYCLE`) instead of waiting for ever, and end with the deadline.
//   3. race       with the command's deadline, since `prepare` may wait for other things than its calls. A result that
//                 comes later is dropped.
//   4. outcome    the value goes to `decide`; a refusal of the callee's is the command's own; anything else was never
//                 decided (outcome none).
//
// A crash here has changed nothing: the command is repeated and prepared anew.
import { asError, Bug, CALL_CHAIN, isRefusal, isRetryable, Refusal, type Clock } from "../kernel/index.ts";
import { callErrors, typedCall } from "../contract/index.ts";
import type { RecordedCommand } from "../event-store/index.ts";
import type { ActivationContext } from "./activation-context.ts";
import type { Basis } from "./appends.ts";
import type { Actor } from "./define-actor.ts";
import type { Command } from "./request.ts";
import { actorErrors } from "./errors.ts";

/** Runs the author's `prepare` of a command on the state. */
export type Prepare = (id: string, stream: string, command: Command, state: unknown) => Promise<unknown>;

/** The outcome of preparing a command. */
export type Prepared =
  | { readonly kind: "repeated"; readonly first: RecordedCommand }
  | { readonly kind: "found"; readonly value: unknown }
  | { readonly kind: "failed"; readonly error: Error };

/** Prepares a command, unless the store has executed it already. Never rejects. */
export async function prepared(context: ActivationContext, basis: Basis, command: Command): Promise<Prepared> {
  const { id, stream, version, state } = basis;
  try {
    const isKnown = command.explicit && version > 0;
    const first = isKnown ? await context.store.findCommand(stream, command.commandId) : undefined;
    if (first) return { kind: "repeated", first };
    return { kind: "found", value: await context.prepare(id, stream, command, state) };
  } catch (error) {
    return { kind: "failed", error: error as Error };
  }
}

/** `prepare` of an actor, with typed calls by `broker`. A command without a deadline of its own has `prepareMs`. */
export function preparing(actor: Actor, broker: object, clock: Clock, prepareMs: number): Prepare {
  return async (id, stream, command, state) => {
    const { commandId, chain, kind, params, metadata } = command;
    const now = clock.monotonic();
    const deadline = Number.isFinite(command.deadline) ? command.deadline : now + prepareMs;
    const call = typedCall(broker);
    const headers = { [CALL_CHAIN]: chain === "" ? stream : `${chain}>${stream}` };
    const meta = metadata.user === undefined ? {} : { preparedFor: metadata.user };
    let timer: NodeJS.Timeout | undefined;
    let value: unknown;
    const prepare = (): unknown =>
      actor.prepare![kind]!(
        {
          id,
          commandId,
          call: (action, params, options) => {
            const left = deadline - clock.monotonic();
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
    try {
      value = await new Promise((resolve, reject) => {
        // Not by a signal, whose end makes an error with a stack for each command: 5 % of the time of a short command.
        timer = setTimeout(resolve, Math.min(deadline - now, TIMER_MS_MAX), LATE);
        Promise.resolve(prepare()).then(resolve, reject);
      });
    } catch (error) {
      throw preparingFailed(stream, kind, error);
    } finally {
      clearTimeout(timer);
    }
    if (value !== LATE) return value;
    throw callErrors.DEADLINE_PASSED({ message: `${stream}: ${kind} was not prepared before its deadline` });
  };
}

/** The command was never decided, whatever its calls have done: outcome none. */
function preparingFailed(stream: string, kind: string, error: unknown): Error {
  if (error instanceof Refusal || error instanceof Bug) return error;
  const { message, type, code } = asError(error) as Error & { type?: string; code?: number };
  if (isRefusal(error)) return new Refusal(error.type, { message, status: error.code });
  const text = `${stream}: ${kind} could not prepare: ${message}`;
  // Moleculer gives codes below 500 to failures that may pass: an action that no node offers, or not yet, is its 404.
  if (isRetryable(error) || (code !== undefined && code >= 500 && type !== undefined))
    return actorErrors.PREPARE_FAILED({ message: text, cause: error });
  return new Bug(actorErrors.PREPARE_FAILED.code, text, { cause: error });
}

const LATE = Symbol("late");
/** Node's timers take no more: longer ones fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;
