/**
 * Sessions. One log-in opens a family of refresh tokens, each used up by the next:
 *
 * - an unused token gives its successor;
 * - a token used less than 10 s ago gives the same successor again: two tabs, or a reply that was lost;
 * - a token used longer ago is in two hands, the owner's and a thief's: the whole family ends.
 *
 * No store holds a token, only its SHA-256: a reader of the database cannot log in with it.
 */
export interface SessionStore {
  /** Opens a family and answers its first token. When a user has too many, the longest unused family ends. */
  open(user: string): Promise<string>;
  /** The successor of a token, or undefined when it is unknown, expired, or was used too long ago. */
  rotate(token: string): Promise<{ readonly user: string; readonly token: string } | undefined>;
  /** Ends the family of a token. An unknown token is no error: the session is over either way. */
  revoke(token: string): Promise<void>;
}
