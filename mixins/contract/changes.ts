// Changes of resources, told to every node. A gateway keeps public answers; it forgets those that have a tag of the
// change. Tags are names that a domain chooses: `books`, `book:0190…`.
import type { ServiceBroker } from "moleculer";

/** Broadcast after a change. Lossy: a node that was cut off meanwhile does not get it. */
export const CHANGED = "resources.changed";
export interface Changed {
  readonly tags: readonly string[];
}

/**
 * Tells every node, this one too, that answers with one of these tags are out of date. To be called after the commit,
 * and after the service's own cache is clean: an answer that is read upon it must be a new one.
 * `await announceChange(this.broker, ["books", `book:${id}`])`
 */
export async function announceChange(broker: ServiceBroker, tags: readonly string[]): Promise<void> {
  await broker.broadcast(CHANGED, { tags } satisfies Changed);
}

/**
 * A tag as a delivery network knows it: in headers of answers, and in a purge. Blanks and commas part the names there.
 * `category:Home & Garden` becomes `category:Home%20&%20Garden`.
 */
export const surrogateKeyOf = (tag: string): string => tag.toWellFormed().replaceAll(/[^!-+\--~]/g, encodeURIComponent);
