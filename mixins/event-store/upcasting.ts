import { isPromise } from "../kernel/index.ts";
import { storeErrors } from "./errors.ts";

/** Lifts an event's data from the version that is its key to the next one. Pure. */
export type Upcasters = { readonly [version: number]: ((data: any) => any) | undefined };

/**
 * Old event data in today's shape: one step a version, when read; stored events never change. Throws Bug
 * `UPCASTER_MISSING`, `UPCASTER_WRONG` for a step whose result is no data, and `EVENT_NEWER` for an event that a newer
 * release wrote; and what a step throws.
 */
export function upcast(
  type: string,
  schemaVersion: number,
  data: unknown,
  currentVersion: number,
  upcasters: Upcasters,
): unknown {
  if (schemaVersion > currentVersion)
    throw storeErrors.EVENT_NEWER({ type, stored: schemaVersion, known: currentVersion });
  let lifted = data;
  for (let version = schemaVersion; version < currentVersion; version++) {
    const step = upcasters[version];
    if (!step) throw storeErrors.UPCASTER_MISSING({ type, version, next: version + 1 });
    lifted = step(lifted);
    if (!isData(lifted)) throw storeErrors.UPCASTER_WRONG({ type, version });
  }
  return lifted;
}

/** An object that can be sent: a page of the log with a BigInt or a cycle in it could not. */
function isData(lifted: unknown): boolean {
  if (isPromise(lifted) || typeof lifted !== "object" || lifted === null) return false;
  try {
    JSON.stringify(lifted);
    return true;
  } catch {
    return false;
  }
}
