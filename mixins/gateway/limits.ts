/** Every limit of the gateway. Sizes are small because every body is a form, not an upload. */
export const limits = {
  /** Bytes of a body. A full order of 100 lines is 8 kB. */
  bodyBytesMax: 100 * 1024,
  /** Nesting of a body: JSON.parse takes thousands of levels, JSON.stringify then throws. */
  bodyDepthMax: 20,
  /**
   * Keys and items of a body, in all its levels. An order of 100 lines has 210 and 100; ones of 1,000 lines, and of 10,000
   * empty ones, are told that these are too many lines. Checks and their complaints go by their number, not by bytes:
   * 12,000 unknown keys cost 40 ms.
   */
  bodyKeysMax: 2_500,
  bodyItemsMax: 12_000,
  /** Issues of a body past which nothing else is looked for: as many as a check tells of. */
  issuesMax: 20,
  /** Issues of a problem: every line of an order can have one. */
  problemIssuesMax: 100,
  /** Fields of a query, for the same reason. */
  queryFieldsMax: 50,
  /** Characters of a request target. */
  urlCharsMax: 4_096,
  /** Milliseconds a refused request may still send what it has begun: a reply beside unread bytes becomes a reset. */
  unreadBodyMs: 2_000,

  /** Bytes of all header fields, and their number. */
  headerBytesMax: 16 * 1024,
  headersMax: 100,
  /** Milliseconds for the header, and for the whole request: a client that drips is cut with 408. */
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  /** Milliseconds between two looks at the two above. */
  connectionsCheckMs: 2_000,
  /** Milliseconds an idle connection stays: above the 60 s of common proxies, so that the proxy closes first. */
  keepAliveMs: 65_000,
  /** Milliseconds without a byte in either direction. Cuts whoever does not read its response; above the heartbeat. */
  socketIdleMs: 30_000,
  /** Sockets: 10,000 idle ones are about 150 MB. Of one address a quarter, unless that is a proxy (TRUSTED_PROXIES). */
  connectionsMax: 10_000,
  connectionsPerAddressMax: 2_500,
  /** Requests that wait behind another one of their connection. Browsers and proxies send none. */
  pipelinedMax: 16,

  /** Requests whose call is under way at once, and that wait for it: as many as one action of a node takes. */
  requestsMax: 1_000,
  requestsWaitingMax: 4_000,
  /** Of them, of one address: half of the places, so that one client leaves the others theirs. */
  requestsPerAddressMax: 500,
  /** Milliseconds with all places taken and none given back until readiness says so: longer than a call may take. */
  stuckMs: 15_000,
  /** Milliseconds between two lines of the log that say that all places, or all sockets, are taken. */
  saidAgainMs: 10_000,

  /** Milliseconds between the first 503 of `/health/ready` and the closed port: three looks of a balancer at 200 ms. */
  announceMs: 600,
  /** Milliseconds after its last word that a consumer which stands still is told by `/health/ready`: it says so every 5 s. */
  stoppedMs: 20_000,
  /** Milliseconds between two looks for a new connection before the port closes. */
  settleLookMs: 50,
  /** Looks without one until it closes: 250 ms, longer than from an answer to the next request. */
  settleLooks: 5,
  /** Looks after which it closes all the same, though clients keep coming: 2 s. */
  settleLooksMax: 40,
  /** Milliseconds between two sweeps of idle connections while draining. */
  sweepMs: 50,

  /** Verified tokens remembered, and for how many milliseconds: a verification costs 0.2 ms, a hit 1 µs. */
  tokensMax: 10_000,
  tokenCacheMs: 60_000,
  tokenCharsMax: 4_096,
  /** Seconds of difference between the issuer's clock and ours. */
  clockToleranceSeconds: 5,
  /** Milliseconds between two fetches of the keys because of an unknown key id: anyone can send one. */
  keysPauseMs: 5_000,
  /** Milliseconds after which the keys are fetched anew: so long may a withdrawn key still be accepted. */
  keysMaxAgeMs: 300_000,

  /** Lines about refused requests in a window of so many milliseconds; what comes on top of them is counted. */
  securityLinesMax: 100,
  securityWindowMs: 10_000,

  /** Event streams one user may hold open; of several workers each allows its part. */
  streamsPerUserMax: 5,
  /** Of one address, and in all: each looks every 2 s, so 4,000 are 2,000 reads a second. Of a process. */
  streamsPerAddressMax: 1_000,
  streamsMax: 4_000,
  /** Milliseconds between two comments on a silent stream: proxies cut silence, often after 30 s. */
  heartbeatMs: 15_000,
  /** Milliseconds between two looks without a hint: hints get lost. */
  streamPollMs: 2_000,
  /** Milliseconds between two looks at most, however many hints come. */
  streamPauseMs: 50,
  /** Milliseconds a reader may let its socket stay full before it is cut; it resumes by Last-Event-ID. */
  streamStallMs: 10_000,
  /** Bounds in milliseconds of the reconnection time given at a drain, so that not all come back at once. */
  reconnectMs: [500, 5_000],
} as const;
