// Refuses a command whose event or answer is larger than the bus carries, before it is committed: the event would never
// reach its consumers, and the caller would get no answer.
import { isLonger, Refusal } from "../kernel/index.ts";
import type { Append } from "../event-store/index.ts";

/** The refusal, if an event or the answer has more than `bytesMax` bytes. */
export function oversizeOf(
  { kind, events = [], answer = null }: Pick<Append, "kind"> & Partial<Append>,
  bytesMax: number,
): Refusal | undefined {
  const event = events.find(({ data }) => isLonger(data, bytesMax));
  if (event)
    return new Refusal("EVENT_TOO_LARGE", {
      status: 413,
      message: `${kind} makes an event ${event.type} of ${Buffer.byteLength(event.data)} bytes; at most ${bytesMax} can be carried`,
    });
  if (answer !== null && isLonger(answer, bytesMax))
    return new Refusal("ANSWER_TOO_LARGE", {
      status: 413,
      message: `${kind} answers ${Buffer.byteLength(answer)} bytes; at most ${bytesMax} can be carried`,
    });
  return undefined;
}
