import { DiscardPolicy, nanos, RetentionPolicy, StorageType, type JetStreamManager, type StreamInfo } from "nats";
import { isAbsent, isDenied } from "../../carriers/jetstream/channel.ts";
import { streamErrors } from "../../errors.ts";
import type { Where } from "../announced.ts";
import { INGRESS_LIMITS } from "../limits.ts";

/** Makes the stream where there is none. @throws STREAM_MISSING when this user may not */
export async function ensureStream({ streams }: JetStreamManager, { stream, subject }: Where): Promise<StreamInfo> {
  const known = await streams.info(stream).catch((error: unknown) => {
    if (!isAbsent(error)) throw error;
  });
  if (known) return known;
  try {
    return await streams.add({
      name: stream,
      subjects: [subject],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
      max_age: nanos(INGRESS_LIMITS.streamAgeMs),
      max_bytes: INGRESS_LIMITS.streamBytes,
    });
  } catch (error) {
    if (isDenied(error)) throw streamErrors.STREAM_MISSING({ stream });
    throw error;
  }
}
