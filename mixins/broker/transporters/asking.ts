// What the transporters have in common beyond Moleculer's own.

/** What a node says to "are you there": the id of its process, nothing because nobody listens, or nothing at all. */
export type Answer = { readonly instance: string } | "gone" | "silent";

/** A transporter that can ask whether a node is there, and tells which ones it doubts. */
export interface Asking {
  /** `withinMs`: how long the node's loop may take to say so. Undefined while we are cut off. */
  probe(nodeId: string, withinMs: number): Promise<Answer | undefined>;
  /** Tells the others of a node that we lost, so that each can look for itself. */
  tellLost(nodeId: string): void;
  /** Called with the node that a request of ours did not reach. */
  onUndelivered: (nodeId: string) => void;
  /** Called with the node that another one lost. */
  onLost: (nodeId: string) => void;
  /** Bytes of the largest packet that it carries. */
  readonly payloadBytesMax: number;
  /** When the connection was made, on the monotonic clock: the others may take a moment longer. */
  connectedAt: number;
}

/** Of Moleculer's class, as far as we look into it. */
export interface Packet {
  readonly type: string;
  readonly target: string | null;
  readonly payload: unknown;
}
