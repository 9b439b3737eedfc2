// The reason why a stream is in quarantine, and for which nodes it counts: one text, for people and for nodes.
//
//   damaged: …                    its rows are not as they were written (a hole, text that is no JSON). Every node would see
//                                 it, so every node believes it, until an operator releases the stream.
//   unreadable by release a, b: … the folds or upcasters of these releases throw. Others try for themselves: one that can
//                                 read the stream releases it; one that cannot adds itself. By one release alone it is
//                                 unavailable there (`UNREADABLE_HERE`), and callers go on to another node.
//   …                             by an earlier release, which took an event that it did not know for damage: tried anew.
//
// In the text and not in a column of its own: nodes of either release read and move the row in a roll-out, as it is.
import { createHash } from "node:crypto";
import type { Actor } from "./define-actor.ts";

/** Releases that are remembered of a stream: more do not run at once, in a roll-out or a roll-back. */
const RELEASES_KEPT = 4;
const DAMAGED = "damaged: ";
const UNREADABLE = /^unreadable by release ((?:[\w-]+)(?:, [\w-]+)*): /;

export const damagedReason = (reason: string): string => DAMAGED + reason;

/** The reason with this release among those that cannot read the stream. */
export function unreadableReason(found: string | undefined, release: string, reason: string): string {
  const others = releasesIn(found).filter(other => other !== release);
  return `unreadable by release ${[...others, release].slice(-RELEASES_KEPT).join(", ")}: ${reason}`;
}

export type Belief = "damaged" | "unreadable by several" | "unreadable here" | "to be tried";

/** How a node of this release takes a reason. */
export function beliefIn(found: string, release: string): Belief {
  if (found.startsWith(DAMAGED)) return "damaged";
  const releases = releasesIn(found);
  if (!releases.includes(release)) return "to be tried";
  return releases.length > 1 ? "unreadable by several" : "unreadable here";
}

const releasesIn = (found = ""): string[] => UNREADABLE.exec(found)?.[1]?.split(", ") ?? [];

const releases = new WeakMap<Actor, string>();

/**
 * Names the code that reads an actor's events: the same name where contract, folds and upcasters are the same. A change in
 * the functions that they call is not seen; then an operator has to release the stream, and it is tried anew.
 */
export function releaseOf(actor: Actor): string {
  let release = releases.get(actor);
  if (release === undefined) {
    const { contract, evolve, upcasters = {} } = actor;
    const code = [...Object.values(evolve), ...Object.values(upcasters).flatMap(steps => Object.values(steps!))];
    const text = JSON.stringify([contract.events, contract.versions, contract.state, code.map(String)]);
    release = createHash("sha256").update(text).digest("base64url").slice(0, 8);
    releases.set(actor, release);
  }
  return release;
}
