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
  /** Milliseconds between two sweeps of expired Idempotency-Keys, and the rows that one sweep removes. */
  answersSweptMs: minutes(1),
  answersSweptMax: 1_000,
  /** Accounts on a page by default, and at most. */
  pageSize: 20,
  pageSizeMax: 100,
} as const;
