// Streams hash to buckets, and buckets move between shards and are divided among lanes. The number is part of the data:
// a stream's bucket never changes.
import { fnv1a, type Unavailable } from "../kernel/index.ts";
import { storeErrors } from "./errors.ts";

export const BUCKETS = 1_024;

/** The bucket of a stream, from 0 on. */
export const bucketOf = (stream: string): number => (fnv1a(stream) >>> 0) % BUCKETS;

/** The stream is not to be had here at the moment. */
export const moved = (stream: string): Unavailable => storeErrors.BUCKET_MOVED({ stream });
