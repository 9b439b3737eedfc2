// A packet larger than the bus carries is refused by name where it is sent. Sent, it would cost NATS's connection to the
// sender, or a worker's to its peer, and all that others have in flight on it; a reply dropped in silence would be a
// time-out for its caller.
import { callErrors } from "../../contract/index.ts";
import type { Packet } from "./asking.ts";

/** Of Moleculer's transit, as far as we need it here. */
interface Transit {
  pendingRequests: Map<string, { reject(error: Error): void }>;
  removePendingRequest(id: string): void;
  sendResponse(nodeId: string, id: string, meta: object, headers: object, data: unknown, error: Error): Promise<void>;
}

/**
 * Tells whoever waits for this packet that it is too large, and resolves. Rejects where nobody waits: with an event, or
 * with what the node says of itself.
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
  // Without what the call has left in meta and headers: it may be that. An error that is as large is told in short.
  if (type === "RES") return transit.sendResponse(target!, payload.id, {}, {}, null, refusal);
  throw new Error(`a packet ${type} has ${bytes} bytes, the bus carries ${bytesMax}`);
}
