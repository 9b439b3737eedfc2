import type { Client } from "../session-store.ts";

/**
 * Sessions of browsers: one opaque value in a cookie, which stays the same until its end, because several tabs and event
 * streams use it at once. Each is a family of the session store, so that it is in the list of a person's sessions and ends
 * with it: by a log-out, by the owner, by a new password.
 *
 * The store keeps a hash of the value, another one than it keeps of a refresh token: neither of the two is taken for the
 * other. A value that is used slides its end on; an absolute end stays.
 */
export interface BrowserSessions {
  /** Opens a session; its value is new, whatever the browser had before (no fixation). */
  open(user: string, client?: Client): Promise<OpenedSession>;
  /** The session of a value, or undefined when it is unknown or over. Slides its end, at most once a minute. */
  find(value: string): Promise<FoundSession | undefined>;
  /** Ends the session of a value, and answers whose it was; undefined when there is none. */
  close(value: string): Promise<string | undefined>;
}

export interface OpenedSession {
  /** The value of the cookie. */
  readonly value: string;
  /** Milliseconds since the epoch: the absolute end. */
  readonly expiresAt: number;
}
export interface FoundSession {
  readonly user: string;
  /** Id of the family. */
  readonly session: string;
  /** Milliseconds since the epoch: the absolute end. */
  readonly expiresAt: number;
}
