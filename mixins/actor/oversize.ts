// What a command would record and nobody could carry: refused before it is committed. An event that is larger than the bus
// carries would never reach its consumers, and an answer that is would leave its caller without one.
import { isLonger, Refusal } from "../kernel/index.ts";
import type { Append } from "../event-store/index.ts";

/** The refusal of what has more than `bytesMax`, if something has. */
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
