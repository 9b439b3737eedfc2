// Every limit of the HTTP servers, with unit and reason. Sizes are small because every body is a form, not an upload.

export const httpLimits = {
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
  /** Default milliseconds for the header, and for the rest of the request: a client that sends byte by byte gets a 408. */
  headersTimeoutMs: 10_000,
  bodyTimeoutMs: 20_000,
  /** Milliseconds between two checks of these times. */
  connectionsCheckMs: 2_000,
  /** Default milliseconds that an idle connection stays open: above the 60 s of common proxies, so that the proxy closes first. */
  keepAliveMs: 65_000,
  /**
   * Milliseconds without a byte in either direction within a response: cuts a client that does not read it. Above the
   * heartbeat of streams. A request that waits for its answer is not idle.
   */
  socketIdleMs: 30_000,
  /** Connections: 10,000 idle ones are about 150 MB. One address gets a quarter, unless it is a proxy (TRUSTED_PROXIES). */
  connectionsMax: 10_000,
  connectionsPerAddressMax: 2_500,
  /** Milliseconds after its last request in which a client that ends its side still waits for its answer: the end comes in one packet with it, or the next. */
  halfCloseMs: 100,
  /** Requests that wait behind another one of their connection. Browsers and proxies do not send such requests. */
  pipelinedMax: 16,

  /** Milliseconds between two lines of the log that say that all places, or all connections, are taken. */
  saidAgainMs: 10_000,

  /**
   * Milliseconds between the first 503 of `/health/ready` and the closed port: three probes of a balancer at 200 ms.
   */
  announceMs: 600,
  /** Milliseconds between two checks for a new connection before the port closes. */
  settleLookMs: 50,
  /** Checks without a new one until the port closes: 250 ms, longer than from an answer to the next request. */
  settleLooks: 5,
  /** Checks after which the port closes although clients still connect: 2 s. */
  settleLooksMax: 40,
  /** Milliseconds between two sweeps of idle connections while draining. */
  sweepMs: 50,

  /** Bytes from which an answer is compressed: below, the header's bytes and the time outweigh those saved. */
  compressFromBytes: 1_024,
  /** Bytes from which a thread compresses: 16 kB take 0.1 ms of the loop, and the thread pool hashes passwords too. */
  compressAsideBytes: 16 * 1_024,
  /** Brotli's quality, 0 to 11: at 4 it takes half the time of gzip; at 11 30 times as long, for a tenth less. */
  brotliQuality: 4,
  /** Characters of an Accept-Encoding that is read. */
  acceptEncodingCharsMax: 200,

  /** Seconds for which a browser remembers the answer to a preflight. */
  preflightSeconds: 600,
} as const;
