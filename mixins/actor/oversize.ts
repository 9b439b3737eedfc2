// What a command would record and nobody could carry: refused before it is committed. An event that is larger than the bus
// carries would never reach its consumers, and an answer that is would leave its caller without one.
import { isLonger, type Refusal } from "../kernel/index.ts";
import type { Append } from "../event-store/index.ts";
import { callErrors } from "../contract/index.ts";
import { actorErrors } from "./errors.ts";

/** The refusal of what has more than `bytesMax`, if something has. */
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
