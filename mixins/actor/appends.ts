// The appends of an activation: a decision with its events, timers and answer; a refusal; or a check of the stream's head.
// Guards P6 (a command that fails changes nothing): all that the author's code gives is made and serialised here, before the
// activation changes anything, so that code which throws is a bug of its command alone.
import { isPromise, Refusal, storableJson, type CommandId } from "../kernel/index.ts";
import type { Reply } from "../contract/index.ts";
import { traceContextOf, type Span } from "../tracing/index.ts";
import type { Append, NewEvent, RecordedCommand, TimerChange } from "../event-store/index.ts";
import type { ActivationContext } from "./activation-context.ts";
import { ABANDON, recordRefusal, recordReply } from "./answers.ts";
import { decide, decisionFailed, decisionOf } from "./decision.ts";
import type { Timer } from "./define-actor.ts";
import { oversizeOf } from "./oversize.ts";
import type { Command } from "./request.ts";
import { actorErrors } from "./errors.ts";

/** The newest decided state of an actor, on which a command is decided. */
export interface Basis {
  readonly id: string;
  readonly stream: string;
  readonly version: number;
  readonly state: unknown;
}

/** The append, answer and new state that a decision makes. */
export interface Made {
  readonly append: Append;
  readonly answer: Reply | Refusal;
  readonly state: unknown;
}

/**
 * Decides a command. A refusal is an append as well, of its answer. So is a decision too large to be carried.
 * @throws Bug `DECISION_FAILED` when the author's code throws anything but a refusal, or gives a value that cannot be
 * stored.
 */
export function made(context: ActivationContext, basis: Basis, command: Command, prepared: unknown): Made {
  let decided: Made;
  try {
    decided = decidedOn(context, basis, command, prepared);
  } catch (error) {
    if (error instanceof Refusal) return refused(context, basis, command, error);
    throw error;
  }
  const oversize = oversizeOf(decided.append, context.bytesMax());
  return oversize ? refused(context, basis, command, oversize) : decided;
}

/** @throws Bug `DECISION_FAILED` when the refusal cannot be stored. */
export function refused(context: ActivationContext, basis: Basis, command: Command, refusal: Refusal): Made {
  const { kind, fingerprint, explicit } = command;
  const commandId = explicit ? command.commandId : undefined;
  try {
    const append = { ...headCheck(basis, kind), commandId, fingerprint, answer: recordRefusal(refusal) };
    return { append, answer: refusal, state: basis.state };
  } catch (error) {
    throw decisionFailed(context.actor, basis.id, kind, error);
  }
}

/** An append that writes nothing: it only finds out whether the stream is still where the state was seen. */
export const headCheck = ({ stream, version }: Basis, kind: string): Append => ({
  stream,
  expectedVersion: version,
  commandId: undefined,
  kind,
  fingerprint: "",
  events: [],
  metadata: "",
  answer: null,
  cause: undefined,
});

/** Refuses a command before it arrives. */
export function abandonment(basis: Basis, commandId: CommandId): Made {
  const refusal = actorErrors.ABANDONED();
  const append = { ...headCheck(basis, ABANDON), commandId, answer: recordRefusal(refusal) };
  return { append, answer: refusal, state: basis.state };
}

/** The row that the store keeps of a command. */
export const recordOf = ({ commandId, kind, fingerprint, answer }: Append, version: number): RecordedCommand => ({
  commandId: commandId!,
  kind,
  fingerprint,
  version,
  answer,
});

function decidedOn(context: ActivationContext, basis: Basis, command: Command, prepared: unknown): Made {
  const { actor, now, newId, keep, sagaRow } = context;
  const { id, stream, version } = basis;
  const { kind, explicit, fingerprint } = command;
  const at = now();
  let ids = 0;
  const decision = decisionOf(id, at, () => newId(stream, version, ids++));
  const { events, timers, state: folded } = decide(actor, basis.state, kind, command.params, decision, prepared);
  const hasEvents = events.length > 0;
  try {
    const state = hasEvents ? keep(folded) : basis.state;
    const reply: Reply = { id, version: version + events.length };
    const extra = actor.reply?.[kind]?.(state as never, events as never, id);
    if (isPromise(extra)) throw new TypeError("a reply is an object, not a promise");
    // Id and version are the runtime's, here and in the answer to a repetition.
    if (extra) Object.assign(reply, extra, { id: reply.id, version: reply.version });
    // Events and timers are recorded under any id; "nothing happened" only where a caller can ask again.
    const isRecorded = explicit || hasEvents || timers.length > 0;
    const append = {
      stream,
      expectedVersion: version,
      commandId: isRecorded ? command.commandId : undefined,
      kind,
      fingerprint,
      events: events.map(({ type, data }) => newEvent(context, type, data)),
      metadata: hasEvents ? metadataOf(context, command, at, events.length) : "",
      answer: recordReply(reply),
      timers: timers.map(timer => timerChange(stream, timer, command.trace?.caller.traceparent)),
      cause: undefined,
    };
    const saga = hasEvents ? sagaRow?.(id, state) : undefined;
    return { append: saga ? { ...append, saga } : append, answer: reply, state };
  } catch (error) {
    // A refusal too: only `decide` may refuse.
    throw decisionFailed(actor, id, kind, error);
  }
}

function newEvent({ actor }: ActivationContext, type: string, data: unknown): NewEvent {
  const text = storableJson(data, type);
  // Stored, it would be damage: every node would put the stream into quarantine.
  if (!text.startsWith("{")) throw new TypeError(`${type}: its data is no object`);
  return { type, schemaVersion: actor.contract.versions[type] ?? 1, data: text };
}

/** The user, the request and the span, and what `whatIf` needs to decide again: the command, its instant and its params. */
function metadataOf(
  { recordCommands }: ActivationContext,
  { kind, params, commandId, explicit, metadata, trace }: Command,
  now: string,
  events: number,
): string {
  const text = JSON.stringify({
    ...metadata,
    ...(explicit && { commandId }),
    ...(recordCommands && { command: kind, params, now, ...(events > 1 && { events }) }),
  });
  return trace ? withTrace(text, trace.caller) : text;
}

/** More members of the object in the text. Within the object they cost three times as much; a `traceparent` has nothing to be escaped. */
function withTrace(object: string, span: Span): string {
  const { traceparent, tracestate } = traceContextOf(span);
  const state = tracestate === undefined ? "" : `,"tracestate":${JSON.stringify(tracestate)}`;
  return `${object.slice(0, -1)}${object === "{}" ? "" : ","}"traceparent":"${traceparent}"${state}}`;
}

function timerChange(stream: string, timer: Timer<any>, cause: string | undefined): TimerChange {
  if ("cancel" in timer) return { cancel: `${stream}/${timer.cancel}` };
  const { set, afterMs, command, params } = timer as {
    set: string;
    afterMs: number;
    command: string;
    params: unknown;
  };
  return { set: `${stream}/${set}`, afterMs, command, params: storableJson(params, `timer ${set}`), cause };
}
