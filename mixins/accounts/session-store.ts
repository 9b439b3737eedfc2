import type { Knex } from "knex";

/**
 * Sessions. One log-in opens a family of refresh tokens, each used up by the next:
 *
 * - an unused token gives its successor;
 * - a token used less than 10 s ago gives the same successor again: two tabs, or a reply that was lost;
 * - a token used longer ago is in two hands, the owner's and a thief's: the whole family ends.
 *
 * No store holds a token, only its SHA-256: a reader of the database cannot log in with it. The id of a family is no
 * secret: its owner sees it in the list of sessions, and access tokens carry it. It opens nothing and ends nothing: only
 * a token of the family does.
 */
export interface SessionStore {
  /** Opens a family and answers its first token. When a user has too many, the longest unused family ends. */
  open(user: string, client?: Client): Promise<Opened>;
  /** The successor of a token, or undefined when it is unknown, expired, or was used too long ago. */
  rotate(token: string, use?: Use): Promise<(Opened & { readonly user: string }) | undefined>;
  /** Whether the user has this family, in the view of `within`, a transaction of the accounts' database, if given. */
  has(user: string, session: string, within?: Knex): Promise<boolean>;
  /** Ends the family of a token. An unknown token is no error: the session is over either way. */
  revoke(token: string): Promise<void>;
  /** The user's families, the latest used first. */
  list(user: string): Promise<OpenSession[]>;
  /** Ends a family; false when the user has none of this id. */
  end(user: string, session: string): Promise<boolean>;
  /**
   * Ends the user's families, all or all but one. `within`: a transaction of the accounts' database, which a store in it
   * takes part in; in any other store they end at once.
   */
  endAll(user: string, except?: string, within?: Knex): Promise<void>;
}

export interface Opened {
  /** Id of the family. */
  readonly session: string;
  readonly token: string;
}
/** Where a log-in comes from, as far as it is known. */
export interface Client {
  /** The device as people call it, 60 characters at most. */
  readonly device?: string | undefined;
  /** The network of the client. */
  readonly address?: string | undefined;
}
export interface Use {
  /** The network of the client; it becomes that of the session. */
  readonly address?: string | undefined;
  /** Called when a token that was used too long ago has ended its family. */
  readonly onReuse?: (family: { readonly user: string; readonly session: string }) => void;
}
/** Times are milliseconds since the epoch. */
export interface OpenSession extends Client {
  readonly id: string;
  readonly createdAt: number;
  readonly lastUsedAt: number;
}
