// Refuses a command whose event or answer is larger than the bus carries, before it is committed: the event would never
// reach its consumers, and the caller would get no answer.
import { isLonger, type Refusal } from "../kernel/index.ts";
import type { Append } from "../event-store/index.ts";
import { callErrors } from "../contract/index.ts";
import { actorErrors } from "./errors.ts";

/** The refusal, if an event or the answer has more than `bytesMax` bytes. */
export function oversizeOf(
  { kind, events = [], answer = null }: Pick<Append, "kind"> & Partial<Append>,
  bytesMax: number,
): Refusal | undefined {
  const event = events.find(({ data }) => isLonger(data, bytesMax));
  if (event)
    return actorErrors.EVENT_TOO_LARGE({
      command: kind,
      type: event.type,
      bytes: Buffer.byteLength(event.data),
      bytesMax,
    });
  if (answer !== null && isLonger(answer, bytesMax))
    return callErrors.ANSWER_TOO_LARGE({
      message: `${kind} answers ${Buffer.byteLength(answer)} bytes; at most ${bytesMax} can be carried`,
    });
  return undefined;
}
