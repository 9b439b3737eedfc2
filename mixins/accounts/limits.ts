// Every bound of the accounts service, with its unit and its reason.
import { minutes } from "../kernel/index.ts";

const days = (n: number): number => n * 24 * minutes(60);

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
  keysPerUserMax: 20,
  /** Scopes of a key. */
  keyScopesMax: 50,
  /** Life of a key, by default and at most: a key that nobody renews should not outlive its purpose for long. */
  keyLifeMs: days(90),
  keyLifeMsMax: days(366),
  /** Time after its end for which a key is still listed: its owner finds out why a machine stopped. */
  keyKeptMs: days(30),
  /** Milliseconds between two notes of a key's, or a session's, last use. */
  keyUseNotedMs: minutes(1),
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
  /** Accounts on a page by default, and at most. */
  pageSize: 20,
  pageSizeMax: 100,
} as const;
