// Limits of the identity of nodes, with unit and reason.
export const IDENTITY_LIMITS = {
  /** Milliseconds until a node signs a new certificate, and for how long one is good to introduce it to a stranger. */
  certificateAgeMs: 60_000,
  certificateLifeMs: 300_000,
  /** Milliseconds that another machine's clock may differ from ours. Nodes that have met do not compare clocks again. */
  clockToleranceMs: 60_000,
  /** Bytes of a certificate: a role of 32 and a node id of 128 characters make 600. */
  certificateBytesMax: 1_024,
  /**
   * Packets of a peer that may arrive out of their order. NATS keeps the order of a connection; after a reconnect a few may
   * come by the old server.
   */
  windowPackets: 1_024,
  /** Nodes that are remembered. A cluster of 1,000 nodes that all restart three times stays below. */
  peersMax: 4_096,

  /** Access tokens that are remembered, and milliseconds for which: a verification costs 0.2 ms, a hit 1 µs. */
  tokensMax: 10_000,
  tokenCacheMs: 60_000,
  tokenCharsMax: 4_096,
  /**
   * Seconds after its end for which a token is still taken from another node: the gateway takes it for 5 s, and its call may
   * wait for others.
   */
  tokenToleranceSeconds: 30,
  /** Milliseconds between two fetches of the public keys because of an unknown key id, and their age at most. */
  keysPauseMs: 5_000,
  keysMaxAgeMs: 300_000,

  /** Milliseconds within which one and the same refusal is logged once. */
  loggedAgainMs: 60_000,
  /** Different refusals that are remembered for that. */
  loggedMax: 1_000,
} as const;
