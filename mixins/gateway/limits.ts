// Every limit of the gateway, with unit and reason, besides those of any HTTP server of ours.

import { httpLimits } from "../http/index.ts";

export const limits = {
  ...httpLimits,

  /**
   * Requests whose call is running at once, as many as one action of a node takes; and requests that wait for a place.
   */
  requestsMax: 1_000,
  requestsWaitingMax: 4_000,
  /** Requests of one address, at work or waiting: half of the places, so that one client leaves some to the others. */
  requestsPerAddressMax: 500,

  // ---- overload (`admission/entrance.ts`)
  /**
   * Requests that are begun in one turn of the event loop. Fewer cost more: at 50 connections 16 took 78 µs of processor time
   * each, 4 took 91. After a turn of so many milliseconds only as many are as take `turnMs` of processor time in all: more would
   * delay those that arrive meanwhile. With 4 of any kind, 64 clients whose commands cost 0.4 ms each filled a transaction of
   * the database with 8, and were refused.
   */
  beginsPerTurn: 16,
  longTurnMs: 3,
  beginsPerLongTurn: 4,
  turnMs: 5.5,
  /** Requests over which their mean cost is taken. */
  costRequests: 128,
  /** Milliseconds that a request of a burst waits at most: a client that waits longer for a page takes it for broken. */
  burstMs: 500,
  /** Milliseconds that a request waits at most while a queue stands, and one that is `critical`. */
  waitMs: 50,
  waitCriticalMs: 200,
  /**
   * Milliseconds that the oldest has waited, after which the newest is begun first; and for how many after a refusal. Without the
   * second, a few of 64 clients that waited for their answers before they asked again were passed over until they were refused.
   */
  freshMs: 32,
  pressureMs: 100,
  /**
   * Milliseconds that a request takes of the loop at most, as far as is known. A turn that was longer than those that were begun
   * in it can have made it is long by other work (a consumer that catches up, code that is compiled): to begin only a few in
   * each such turn left 50 connections in a queue for half a second.
   */
  requestMsMax: 2.5,
  /** Milliseconds of a turn of the loop that count as waiting: a longer one was a pause (`loop-clock.ts`). */
  turnMsMax: 10,
  /** Requests that wait for one service: at 50 ms each, as many as a gateway of 20,000 a second begins meanwhile. */
  waitingPerServiceMax: 1_000,
  /** Milliseconds between two looks for late requests of a service that does not answer. */
  lateLookMs: 10,
  /** Milliseconds of the mean `Retry-After`; each answer has between half of it and one and a half. */
  retryAfterMs: 2_000,
  /** Calls of one service at work: at most half of all places, however well it answers, and at least so many. */
  callsPerServiceMax: 500,
  callsPerServiceMin: 16,
  /** Milliseconds, and answers, of one window in which a service's answers are compared with its usual ones. */
  windowMs: 100,
  windowAnswersMin: 10,
  /** How many times its usual time an answer may take before the limit shrinks: below it is noise. */
  slowerTolerated: 2,
  /** By how much the usual time rises in a second, at most: a service that is slower for good is known so in 5 minutes. */
  usualRisePerSecond: 0.005,
  /** Windows of use between two trials of half of the limit: 10 s. */
  probeWindows: 100,
  /** Times its usual time that an answer takes with half of the calls, if they were queueing before. */
  fasterByHalf: 0.8,
  /** Share of the limit that is left when the service itself refuses a call. */
  refusedFactor: 0.9,
  /** Milliseconds: a client that waits for less does not count against a node that takes longer (`Request-Timeout`). */
  impatientMs: 1_000,

  /** Milliseconds with all places taken and none given back until readiness says `stuck`, but no less than 1.5 calls may take. */
  stuckMs: 15_000,
  /** Milliseconds for which `/health/ready` names a consumer that has stopped: the consumer says so again every 5 s. */
  stoppedMs: 20_000,
  /** Verified tokens that are remembered, and for how many milliseconds: a verification costs 0.2 ms, a hit 1 µs. */
  tokensMax: 10_000,
  tokenCacheMs: 60_000,
  tokenCharsMax: 4_096,
  /** Exchanged credentials that are remembered: about 1 kB each. */
  exchangesMax: 10_000,
  /**
   * Milliseconds before its end in which an exchanged token is given to no further request: it has to outlive the request
   * that it travels with, whose calls take at most so long.
   */
  exchangeMarginMs: 30_000,
  /**
   * Milliseconds for which a key or session that was accepted is known to be no guess, from its last exchange on: it is
   * checked even when its address has sent too many wrong ones. Longer than people pause at a page.
   */
  credentialKnownMs: 3_600_000,
  /** Milliseconds until an exchange is asked for again for an open stream, when accounts cannot be reached. */
  exchangeRetryMs: 5_000,
  /** Characters of a `User-Agent` that actions get: the names in it come first. */
  userAgentCharsMax: 256,
  /** Seconds that the issuer's clock may differ from ours. */
  clockToleranceSeconds: 5,
  /** Milliseconds between two fetches of the keys because of an unknown key id: any client can send one. */
  keysPauseMs: 5_000,
  /** Milliseconds after which the keys are fetched anew: a withdrawn key may be accepted until then. */
  keysMaxAgeMs: 300_000,

  /**
   * Bytes of one answer in the cache, counted as JSON, besides those for its place in it; and of a URL and an Accept
   * header that are kept with it. A page of 100 rows is 60 kB.
   */
  cacheEntryBytesMax: 1024 * 1024,
  cacheEntryOverheadBytes: 400,
  cacheKeyCharsMax: 500,
  /** Milliseconds of a fill: one that takes longer than a call may is not stored. Changes are remembered so long. */
  cacheFillMs: 30_000,
  /** Tags whose changes are remembered, about 2 MB: with more, no fill that is under way stores. */
  cacheTagsMax: 10_000,
  /**
   * Milliseconds after a change in which a fill of the same tags does not store: a message takes a few to reach the
   * other caches and standbys from which the answer may come.
   */
  cacheSettleMs: 250,
  /** Fills of others that a request waits for before it makes its own. */
  cacheJoinsMax: 2,
  /** Stale answers that are fetched anew at once; further ones wait for their next hit. */
  cacheRefreshesMax: 32,
  /** Milliseconds of a call that fetches a stale answer anew. */
  cacheRefreshMs: 32_000,

  /** Lines about refused requests within a window of so many milliseconds; further ones are only counted. */
  securityLinesMax: 100,
  securityWindowMs: 10_000,

  /**
   * Keys that one window counts in memory, 150 bytes each; the oldest windows are forgotten first. An attacker who has
   * 65,000 networks (an IPv6 /48) and uses them all forgets their own counts.
   */
  countedKeysMax: 10_000,
  /** Milliseconds that a request waits for its count in Redis: a hundred times what an idle server takes. */
  sharedCountsAnswerMs: 50,
  /** Milliseconds for which Redis is not asked again after a count that it did not answer in time. */
  sharedCountsPauseMs: 1_000,
  /** Milliseconds for which the number of gateways is remembered: it divides the limits while Redis is away. */
  gatewaysCountedMs: 5_000,
  /** Wrong credentials of one address in so many seconds: 5 a second are 1 ms of signature checks. */
  failedAuthenticationsMax: 300,
  failedAuthenticationsSeconds: 60,

  /** Milliseconds for which the first answer to an Idempotency-Key is kept: a client that was offline for a night still gets it. */
  answerKeptMs: 24 * 3_600_000,
  /** Milliseconds before each attempt to give back a key whose claim failed. */
  answerReleasesMs: [100, 400, 500, 1_000, 2_000, 4_000, 8_000],
  /** Bytes of an answer that is kept. One that is larger is only known to have been given: most have 1 kB. */
  answerBytesMax: 16 * 1024,
  /**
   * Bytes of the answers, and keys, that Redis keeps for one user: with both lists 9 MB. A shopper's last 600 changes, an
   * import's last 10,000. Without a limit one user filled the memory of all in minutes.
   */
  answerBytesPerUserMax: 4 * 1024 * 1024,
  keysPerUserMax: 10_000,
  /** Milliseconds for which a key stays taken beyond the time of a call: what a request may wait for its call. */
  answerLeaseMs: 20_000,
  /**
   * The same for an actor's command, in all: a second attempt after that goes to the actor, which decides a command once
   * and answers both. So a gateway that dies holds up its clients for a moment only.
   */
  commandLeaseMs: 3_000,
  /** Milliseconds after which a client may ask again for a request that runs. */
  answerAskAgainMs: 1_000,

  /** Event streams that one user may hold open; each of several workers allows its share. */
  streamsPerUserMax: 5,
  /** Event streams of one address and of the process: each reads every 2 s, so 4,000 are 2,000 reads a second. */
  streamsPerAddressMax: 1_000,
  streamsMax: 4_000,
  /** Answers of all pages that are sent at once, each a page in memory; and milliseconds for which a client may leave its socket full. */
  downloadsMax: 8,
  downloadStallMs: 60_000,
  /** Milliseconds between two comments on a silent stream: proxies cut silence, often after 30 s. */
  heartbeatMs: 15_000,
  /** Milliseconds between two reads without a hint: hints can get lost. */
  streamPollMs: 2_000,
  /** Milliseconds between two reads at least, however many hints come. */
  streamPauseMs: 50,
  /** Milliseconds that a client may leave its socket full before it is cut; it resumes by Last-Event-ID. */
  streamStallMs: 10_000,
  /** Milliseconds between two looks for hints: a topic has two a second at most. */
  hintMs: 500,
  /** Looks in a row that may fail before streams of hints end: a page that hears nothing is to know it. */
  hintFailuresMax: 5,
  /** Bounds in milliseconds of the delay that a drain gives to clients of streams, so that they do not all return at once. */
  reconnectMs: [500, 5_000],

  /** Names in `?fields=`, and parts of one: the largest answer has 30 fields, three levels deep. */
  fieldsMax: 50,
  fieldsDepthMax: 5,
} as const;
