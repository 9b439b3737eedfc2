// The life of a signing key, as a function of the times in the table and the time now:
//
//   1. `published`: verifiers can fetch it, nothing is signed with it. It lasts longer than any verifier's, and any
//      node's, copy of the keys
//   2. `signing`: the one key that signs, from its time on, at all nodes at once
//   3. `retired`: a later key signs. It stays published as long as a token of its own may be shown
//   4. dropped: it verifies nothing any more, and its row goes
//
// The nodes agree without talking: a node whose copy is old still has every key that signs meanwhile.
import { limits } from "../limits.ts";

/** Milliseconds since the epoch, on the database's clock. */
export interface KeyTimes {
  readonly kid: string;
  readonly publishedAt: number;
  readonly signsFrom: number;
}

export type KeyState<K extends KeyTimes = KeyTimes> = K & {
  readonly state: "published" | "signing" | "retired" | "dropped";
  /** The end of a key after which another one signs. */
  readonly verifiesUntil: number | undefined;
};

/** The keys with their states, the newest first. One signs whenever there is a key. */
export function statesAt<K extends KeyTimes>(keys: readonly K[], now: number): KeyState<K>[] {
  const sorted = keys.toSorted((a, b) => a.signsFrom - b.signsFrom || a.kid.localeCompare(b.kid));
  // A clock that was set back may come before the first key's time.
  const signing = Math.max(
    sorted.findLastIndex(key => key.signsFrom <= now),
    0,
  );
  return sorted
    .map((key, at): KeyState<K> => {
      const next = sorted[at + 1];
      const verifiesUntil = next && next.signsFrom + limits.keyKeptMs;
      if (at >= signing) return { ...key, state: at === signing ? "signing" : "published", verifiesUntil };
      return { ...key, state: verifiesUntil! > now ? "retired" : "dropped", verifiesUntil };
    })
    .toReversed();
}

/**
 * The time from which the next key is to sign, by the calendar; undefined while it is too early to publish one.
 * `everyMs`: time between two keys, 0 = never.
 */
export function dueAt(keys: readonly KeyState[], now: number, everyMs: number): number | undefined {
  const signing = keys.find(({ state }) => state === "signing");
  if (everyMs === 0 || !signing || keys.some(({ state }) => state === "published")) return undefined;
  const ahead = Math.min(limits.keyPublishedByCalendarMs, everyMs / 2);
  return now + ahead >= signing.signsFrom + everyMs ? now + ahead : undefined;
}
