// Every limit of the gateway, with unit and reason. Sizes are small because every body is a form, not an upload.

export const limits = {
  /** Bytes of a body. A form of 100 rows with two fields each is 8 kB. */
  bodyBytesMax: 100 * 1024,
  /** Levels of a body: JSON.parse takes thousands, and JSON.stringify then throws. */
  bodyDepthMax: 20,
  /**
   * Keys and items of a body, in all its levels. A form of 100 rows has 210 keys and 100 items. Forms of 1,000 rows, and of
   * 10,000 empty ones, stay below, so that the schema's own refusal names the rows. The cost of checks and of their issues
   * grows with the number of keys, not with bytes: 12,000 unknown keys cost 40 ms.
   */
  bodyKeysMax: 2_500,
  bodyItemsMax: 12_000,
  /** Issues of a body after which a check stops: as many as it names. */
  issuesMax: 20,
  /** Issues in a problem: each of 100 rows can have one. */
  problemIssuesMax: 100,
  /** Fields of a query: further ones cost time, as keys of a body do. */
  queryFieldsMax: 50,
  /** Characters of a request target. */
  urlCharsMax: 4_096,
  /** Milliseconds that a refused request may go on sending its body: an answer beside unread bytes becomes a reset. */
  unreadBodyMs: 2_000,

  /** Bytes of all header fields, and their number. */
  headerBytesMax: 16 * 1024,
  headersMax: 100,
  /** Milliseconds for the header, and for the whole request: a client that sends byte by byte gets a 408. */
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  /** Milliseconds between two checks of these times. */
  connectionsCheckMs: 2_000,
  /** Milliseconds that an idle connection stays open: above the 60 s of common proxies, so that the proxy closes first. */
  keepAliveMs: 65_000,
  /** Milliseconds without a byte in either direction: cuts a client that does not read its response. Above the heartbeat. */
  socketIdleMs: 30_000,
  /** Connections: 10,000 idle ones are about 150 MB. One address gets a quarter, unless it is a proxy (TRUSTED_PROXIES). */
  connectionsMax: 10_000,
  connectionsPerAddressMax: 2_500,
  /** Requests that wait behind another one of their connection. Browsers and proxies do not send such requests. */
  pipelinedMax: 16,

  /**
   * Requests whose call is running at once, as many as one action of a node takes; and requests that wait for a place.
   */
  requestsMax: 1_000,
  requestsWaitingMax: 4_000,
  /** Requests of one address, at work or waiting: half of the places, so that one client leaves some to the others. */
  requestsPerAddressMax: 500,
  /** Milliseconds with all places taken and none given back until readiness says `stuck`: longer than a call may take. */
  stuckMs: 15_000,
  /** Milliseconds between two lines of the log that say that all places, or all connections, are taken. */
  saidAgainMs: 10_000,

  /**
   * Milliseconds between the first 503 of `/health/ready` and the closed port: three probes of a balancer at 200 ms.
   */
  announceMs: 600,
  /** Milliseconds for which `/health/ready` names a consumer that has stopped: the consumer says so again every 5 s. */
  stoppedMs: 20_000,
  /** Milliseconds between two checks for a new connection before the port closes. */
  settleLookMs: 50,
  /** Checks without a new one until the port closes: 250 ms, longer than from an answer to the next request. */
  settleLooks: 5,
  /** Checks after which the port closes although clients still connect: 2 s. */
  settleLooksMax: 40,
  /** Milliseconds between two sweeps of idle connections while draining. */
  sweepMs: 50,

  /** Verified tokens that are remembered, and for how many milliseconds: a verification costs 0.2 ms, a hit 1 µs. */
  tokensMax: 10_000,
  tokenCacheMs: 60_000,
  tokenCharsMax: 4_096,
  /** Seconds that the issuer's clock may differ from ours. */
  clockToleranceSeconds: 5,
  /** Milliseconds between two fetches of the keys because of an unknown key id: any client can send one. */
  keysPauseMs: 5_000,
  /** Milliseconds after which the keys are fetched anew: a withdrawn key may be accepted until then. */
  keysMaxAgeMs: 300_000,

  /** Lines about refused requests within a window of so many milliseconds; further ones are only counted. */
  securityLinesMax: 100,
  securityWindowMs: 10_000,

  /** Event streams that one user may hold open; each of several workers allows its share. */
  streamsPerUserMax: 5,
  /** Event streams of one address and of the process: each reads every 2 s, so 4,000 are 2,000 reads a second. */
  streamsPerAddressMax: 1_000,
  streamsMax: 4_000,
  /** Milliseconds between two comments on a silent stream: proxies cut silence, often after 30 s. */
  heartbeatMs: 15_000,
  /** Milliseconds between two reads without a hint: hints can get lost. */
  streamPollMs: 2_000,
  /** Milliseconds between two reads at least, however many hints come. */
  streamPauseMs: 50,
  /** Milliseconds that a client may leave its socket full before it is cut; it resumes by Last-Event-ID. */
  streamStallMs: 10_000,
  /** Bounds in milliseconds of the delay that a drain gives to clients of streams, so that they do not all return at once. */
  reconnectMs: [500, 5_000],

  // ---- the access log
  /** Bytes of lines that are collected before they are written: a write of 4 kB costs what one of 200 bytes does. */
  accessLogBufferBytes: 4_096,
  /** Bytes of lines that wait for a slow reader of stdout, some 15,000 lines; further ones are dropped and counted. */
  accessLogBytesMax: 4 * 1024 * 1024,
  /** Milliseconds after which lines are written even if they are few. */
  accessLogFlushMs: 500,
  /** Milliseconds that a stop waits for the last lines to be written. */
  accessLogStopMs: 500,
} as const;
