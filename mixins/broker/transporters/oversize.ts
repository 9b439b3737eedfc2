// Refuses a packet larger than the bus carries, by name, where it is sent. Sent, it would close the connection of the
// sender (NATS) or of the peer (TCP), with all calls in flight on it. A reply dropped in silence would be a time-out
// for its caller.
import { callErrors } from "../../contract/index.ts";
import type { Packet } from "./asking.ts";

/** The parts of Moleculer's transit that we use. */
interface Transit {
  pendingRequests: Map<string, { reject(error: Error): void }>;
  removePendingRequest(id: string): void;
  sendResponse(nodeId: string, id: string, meta: object, headers: object, data: unknown, error: Error): Promise<void>;
}

/**
 * Tells the caller that waits for this packet that it is too large, and resolves. Rejects when there is no such caller:
 * for an event, or for the node's own description.
 */
export async function refuseOversize(transit: Transit, packet: Packet, bytes: number, bytesMax: number): Promise<void> {
  const { type, target } = packet;
  const payload = packet.payload as { id: string; action?: string; error?: object | null };
  if (type === "REQ") {
    const request = transit.pendingRequests.get(payload.id);
    transit.removePendingRequest(payload.id);
    request?.reject(
      callErrors.REQUEST_TOO_LARGE({
        message: `the request for ${payload.action} has ${bytes} bytes, the bus carries ${bytesMax}`,
      }),
    );
    return;
  }
  const refusal = callErrors.ANSWER_TOO_LARGE({
    message: `the answer has ${bytes} bytes, the bus carries ${bytesMax}: ask for less at a time`,
  });
  // Meta and headers of the call are left out, since they may be what is too large. An error that is too large is sent
  // in short.
  if (type === "RES") return transit.sendResponse(target!, payload.id, {}, {}, null, refusal);
  throw new Error(`a packet ${type} has ${bytes} bytes, the bus carries ${bytesMax}`);
}
