// Rendezvous hashing (Thaler, Ravishankar, "A Name-Based Mapping Scheme for Rendezvous", 1996): each node scores each
// key, the highest score owns it. A node that joins or leaves moves 1/N of the keys, and nodes with the same view agree
// without talking. Placement is a hint: two owners at once are slow, never wrong; the event store is the fence.
import { fnv1a } from "../kernel/index.ts";

/** FNV-1a over both names, finished by murmur3's mixer so that similar names score far apart. 32 bits. */
function score(node: string, key: string): number {
  let hash = fnv1a(key, fnv1a("|", fnv1a(node)));
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The owner of a key. Ties go to the smaller node id. Throws on an empty list. */
export function rendezvous<N>(key: string, nodes: readonly N[], idOf: (node: N) => string): N {
  let owner: N | undefined;
  let best = -1;
  for (const node of nodes) {
    const points = score(idOf(node), key);
    if (points > best || (points === best && idOf(node) < idOf(owner!))) {
      owner = node;
      best = points;
    }
  }
  if (owner === undefined) throw new Error("rendezvous: no nodes");
  return owner;
}
