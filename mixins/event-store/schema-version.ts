import { storeErrors } from "./errors.ts";

/** The newest step that a store's tables have, and the oldest code that may use them. */
export interface SchemaVersion {
  readonly version: number;
  /** Number of the oldest schema whose code may go on with these tables; null: no older one. */
  readonly readableFrom: number | null;
}

/**
 * Two releases serve side by side in a roll-out and a roll-back, so code goes on with the tables of a later release if that
 * release says so. Throws Bug `STORE_SCHEMA_NEWER` where it does not.
 */
export function mustBeReadable(place: string, { version, readableFrom }: SchemaVersion, known: number): void {
  if (version <= known || (readableFrom !== null && readableFrom <= known)) return;
  throw storeErrors.STORE_SCHEMA_NEWER({ place, version, known });
}
