// Every bound of the accounts service, with its unit and its reason.
import { minutes } from "../kernel/index.ts";

const days = (n: number): number => n * 24 * minutes(60);

export const limits = {
  /** Life of an access token. It cannot be revoked, and roles that were withdrawn are in it until then: so it is short. */
  accessTokenSeconds: 900,
  /** Life of an unused refresh token: a person who comes back within a month stays logged in. */
  refreshTokenMs: days(30),
  /**
   * Time in which a used refresh token gives its successor again. Two tabs, or a repetition after a lost reply, come within
   * moments; a thief comes later.
   */
  refreshReuseMs: 10_000,
  /**
   * Sessions of one user, more than a person has devices; the longest unused ends. A script that only ever logs in does not
   * fill the disk.
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
   * Failed log-ins of one account in a window, those under way included: too few to guess a password, and a person who mistypes
   * it is not locked out for long. At an address that the account knows, as many again.
   */
  failedLoginsMax: 10,
  /** Failed log-ins of one address in a window, over all accounts: a company may share one, and so may a thief with a list. */
  failedLoginsPerAddressMax: 100,
  failedLoginsWindowMs: minutes(1),
  /** Accounts, and addresses, that are counted in memory; the oldest are forgotten first. */
  countedMax: 10_000,
  /** Addresses that an account knows; the ones seen longest ago go first. */
  knownAddressesMax: 20,
  /** Time after which an account forgets an address that it has not been used from. */
  knownAddressMs: days(90),
  /** Time after which a known address is written anew. */
  knownAddressRenewMs: days(1),
  /** Registrations of one address in a window. Refused ones count too, since they tell which addresses have an account. */
  registrationsPerAddressMax: 200,
  registrationsWindowMs: minutes(10),
  /** Accounts of a page unless the caller asks otherwise, and at most. */
  pageSize: 20,
  pageSizeMax: 100,
} as const;
