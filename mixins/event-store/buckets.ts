// Streams hash to buckets, and a bucket is what moves between shards and what lanes share out. The number is part of
// the data: a stream's bucket never changes.
import type { Unavailable } from "../kernel/index.ts";
import { storeErrors } from "./errors.ts";

export const BUCKETS = 1_024;

/** The bucket of a stream, from 0 on. FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/), 32 bits, on UTF-16 units. */
export function bucketOf(stream: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < stream.length; i++) hash = Math.imul(hash ^ stream.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % BUCKETS;
}

/** The stream is not to be had here at the moment. */
export const moved = (stream: string): Unavailable => storeErrors.BUCKET_MOVED({ stream });
