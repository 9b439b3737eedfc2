// The interface of our transporters beyond Moleculer's.

/**
 * A node's answer to a probe: the id of its process; `gone` when no process listens; `silent` when none answers in
 * time.
 */
export type Answer = { readonly instance: string } | "gone" | "silent";

/** A transporter that can ask whether a node is alive, and reports nodes that it doubts. */
export interface Asking {
  /** `withinMs`: milliseconds that the node's loop may take to answer. Undefined while this node has no connection. */
  probe(nodeId: string, withinMs: number): Promise<Answer | undefined>;
  /** Tells the other nodes that this one has lost a node, so that each can ask for itself. */
  tellLost(nodeId: string): void;
  /** Called with a node that one of our requests did not reach. */
  onUndelivered: (nodeId: string) => void;
  /** Called with a node that another node has lost. */
  onLost: (nodeId: string) => void;
  /** Bytes of the largest packet that the bus carries. */
  readonly payloadBytesMax: number;
  /** Time of the connection, on the monotonic clock: other nodes may connect a moment later. */
  connectedAt: number;
}

/** The parts of Moleculer's packet that we use. */
export interface Packet {
  readonly type: string;
  readonly target: string | null;
  readonly payload: unknown;
}
