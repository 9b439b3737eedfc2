// Every bound of the accounts service, with its unit and its reason.
import { minutes } from "../kernel/index.ts";

export const days = (n: number): number => n * 24 * minutes(60);

export const limits = {
  /**
   * Seconds that an access token is valid. It is short, since a token cannot be revoked and keeps roles that were
   * withdrawn meanwhile.
   */
  accessTokenSeconds: 900,
  /** Life of an unused refresh token: a person who comes back within a month stays logged in. */
  refreshTokenMs: days(30),
  /**
   * Milliseconds in which a used refresh token gives its successor again. Two tabs, or a repetition after a lost reply,
   * come within moments; a thief comes later.
   */
  refreshReuseMs: 10_000,
  /**
   * Sessions of one user, more than a person has devices; the longest unused one ends. So a script that logs in again
   * and again does not fill the disk.
   */
  sessionsPerUserMax: 20,
  // ---- other ways in
  /** API keys of a user that have not expired: more than a person has machines. */
  apiKeysPerUserMax: 20,
  /** Scopes of a key. */
  apiKeyScopesMax: 50,
  /** Life of a key, by default and at most: a key that nobody renews should not outlive its purpose for long. */
  apiKeyLifeMs: days(90),
  apiKeyLifeMsMax: days(366),
  /** Time after its end for which a key is still listed: its owner finds out why a machine stopped. */
  apiKeyKeptMs: days(30),
  /** Expired keys of a user that are kept, the last ones: a program that makes short-lived keys does not fill the list. */
  apiKeysExpiredMax: 20,
  /** Milliseconds between two notes of a key's, or a session's, last use. */
  apiKeyUseNotedMs: minutes(1),
  sessionUseNotedMs: minutes(1),
  /** Life of a browser's session, however often it is used. Unused it ends as a refresh token does. */
  browserSessionMs: days(90),
  /**
   * Seconds that a token is valid which a key, a cookie or an issuer's token is exchanged for: until then a revocation may
   * go unnoticed where its hint was lost. Gateways stop giving it out half a minute before.
   */
  exchangedTokenSeconds: 90,
  /** Milliseconds for an answer of the external issuer. */
  issuerTimeoutMs: 5_000,
  /** Milliseconds between two fetches of its keys because of an unknown one, and after a failed fetch. */
  issuerKeysPauseMs: 5_000,
  /** Milliseconds after which its keys, and the place where they are, are fetched anew. */
  issuerKeysMaxAgeMs: minutes(10),
  discoveryMaxAgeMs: minutes(60),
  /** Seconds that its clock may differ from ours. */
  issuerClockToleranceSeconds: 5,
  /** Characters of a person's name, as at a registration. */
  nameCharsMax: 200,

  /**
   * Hashes at once. Argon2 runs on libuv's pool of four threads: two leave two for files and DNS (p99 of a file's stat 12 ms,
   * with 16 at once 248 ms).
   */
  hashesAtOnce: 2,
  /** Hashes that wait: about half a second at 18 ms each, two at once. */
  hashQueueMax: 50,
  /**
   * Failed log-ins of one account in a window, running attempts included: too few to guess a password, and a person who
   * mistypes it is not locked out for long. The account may have as many again at an address that it knows.
   */
  failedLoginsMax: 10,
  /**
   * Failed log-ins from one address in a window, over all accounts: a company may share one address, and so may a thief
   * with a list.
   */
  failedLoginsPerAddressMax: 100,
  failedLoginsWindowMs: minutes(1),
  /**
   * Attempts that wait, for each account and each address, until those before them are decided: as many as wait for a
   * hash. One more is refused.
   */
  attemptsWaitingMax: 50,
  /** Accounts, and addresses, counted in memory; the oldest are forgotten first. */
  countedMax: 10_000,
  /** Addresses that an account knows; the ones seen longest ago go first. */
  knownAddressesMax: 20,
  /** Time after which an account forgets an address that it has not been used from. */
  knownAddressMs: days(90),
  /** Time after which a known address is written anew. */
  knownAddressRenewMs: days(1),
  /**
   * Registrations from one address in a window. Refused ones count too, since they tell which addresses have an
   * account.
   */
  registrationsPerAddressMax: 200,
  registrationsWindowMs: minutes(10),

  // ---- signing keys
  /** Milliseconds after which a node reads the keys anew. A key is published for longer before it signs. */
  keysReadMs: 30_000,
  /**
   * Milliseconds for which a node goes on with the keys that it has when the database is away. Every key that may sign
   * by then was published before it read them.
   */
  keysStaleMs: minutes(5),
  /** Milliseconds for which readers of `/.well-known/jwks.json` may keep it: its `max-age`. */
  keysMaxAgeMs: minutes(5),
  /** Milliseconds between the publication of a key, at an administrator's request, and its first signature. */
  keyPublishedMs: minutes(5) + minutes(5),
  /**
   * The same for a key that is due by the calendar. A roll-out is over within a day: nodes of the release before never
   * read the keys anew.
   */
  keyPublishedByCalendarMs: days(1),
  /** Milliseconds for which a key verifies after its last signature: a token's life, stale nodes and slow clocks. */
  keyKeptMs: minutes(15) + minutes(5) + minutes(1),

  // ---- sessions
  /** Characters of a device's name, and of the header that it is read from. */
  deviceCharsMax: 60,
  userAgentCharsMax: 256,

  // ---- passwords
  /**
   * Characters of a password that are scored, its first ones. The slowest texts cost 9 ms with 32, 24 ms with 64, 540 ms with
   * 128 and the library's own bounds, and the loop waits meanwhile.
   */
  scoredCharsMax: 32,
  /** Substitutions of letters (`p4$$w0rd`) that are tried: 8 ms at most with 5, 26 ms with 20. */
  scoredSubstitutionsMax: 5,
  /** Score of zxcvbn, 0 to 4, below which a password is refused: 2 takes more than 10⁶ guesses. */
  passwordScoreMin: 2,

  // ---- mails
  /** Life of the token that sets a new password. */
  resetTokenMs: minutes(30),
  /** Life of the token that verifies an address. */
  verificationTokenMs: days(1),
  /** Time after its end for which a token is remembered, so that a late click is told why. */
  tokenKeptMs: days(7),
  /**
   * Mails of one kind to one account in a window: enough to be asked for again, too few to fill a mailbox. More requests
   * for a reset are answered alike, without a mail, so that strangers learn nothing and do not keep the owner out.
   */
  mailsPerAccountMax: 3,
  mailsPerAccountWindowMs: minutes(15),
  /** Requests for a reset from one address in a window, over all accounts. */
  resetsPerAddressMax: 30,
  resetsPerAddressWindowMs: minutes(15),
  /** Time after which a mail is given up. Nobody waits for it any more. */
  mailLifeMs: days(1),
  /** Time for which a mail's row is kept after it was sent or given up: to answer questions about it. */
  mailKeptMs: days(7),

  /** Milliseconds between two sweeps of expired Idempotency-Keys, and the rows that one sweep removes. */
  answersSweptMs: minutes(1),
  answersSweptMax: 1_000,
  /** Accounts on a page by default, and at most. */
  pageSize: 20,
  pageSizeMax: 100,
} as const;
