import { minutes } from "@valence/runtime/kernel";

const days = (n: number): number => n * 24 * minutes(60);

export const limits = {
  /** Life of an access token: it cannot be called back, so it is short. */
  accessTokenSeconds: 900,
  /** An unused refresh token. A customer who comes back within a month stays logged in. */
  refreshTokenMs: days(30),
  /** Two tabs, or a reply that got lost, present the same token twice within moments; a thief comes later. */
  refreshReuseMs: 10_000,
  /** Sessions of one user; the longest unused goes. Nobody has more devices, and a script that only ever logs in fills no disk. */
  sessionsPerUserMax: 20,
  /** Argon2 runs on libuv's pool of four: two at once leave two for files and DNS (p99 of a file's stat 12 ms, with 16 at once 248 ms). */
  hashesAtOnce: 2,
  /** About half a second of waiting at 18 ms a hash, two at once. */
  hashQueueMax: 50,
  /**
   * Failed log-ins of one account in a window, those under way included: a guesser gets nowhere, and a typist is not
   * locked out for long. At an address that the account knows, as many again.
   */
  failedLoginsMax: 10,
  /** Of one address in a window, over all accounts: a company may have one, and one who tries stolen lists as well. */
  failedLoginsPerAddressMax: 100,
  failedLoginsWindowMs: minutes(1),
  /** Accounts, and addresses, that are counted; the oldest are forgotten first. */
  countedMax: 10_000,
  /** Addresses that an account knows, for how long, and after how long they are noted anew. */
  knownAddressesMax: 20,
  knownAddressMs: days(90),
  knownAddressRenewMs: days(1),
  /** Registrations of one address in a window, refused ones too, since those tell who has an account. */
  registrationsPerAddressMax: 200,
  registrationsWindowMs: minutes(10),
} as const;
