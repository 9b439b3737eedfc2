// Which events of a batch are new to a consumer: a carrier may deliver twice, out of order, or with gaps. The last version
// of each stream decides: a lower or equal version was applied before, the next one is new, a higher one leaves a gap,
// which is read from the owner of the log. Events of all types count, not only the subscribed ones, or a skipped type
// would look like a gap.
import { plainError } from "../../kernel/index.ts";
import type { LogEvent } from "../log/source.ts";
import { streamOf, type Checkpoint } from "./checkpoint.ts";
import type { ReaderContext } from "./consumer.ts";
import { sideBySide } from "./side-by-side.ts";
import { storeErrors } from "../../event-store/index.ts";
import { streamErrors } from "../errors.ts";

export interface Judged {
  /** The events that are new, in order, gaps filled. */
  readonly fresh: LogEvent[];
  /** The last version of each stream after them. */
  readonly versions: Map<string, number>;
}

/** @throws Bug `LOG_HOLE` at a gap of more than `gapEventsMax` versions: it is another log. Bug `LOG_FOREIGN`. */
export async function judge(
  reader: ReaderContext,
  checkpoint: Checkpoint,
  events: readonly LogEvent[],
): Promise<Judged> {
  reader.ownOf(reader.key.source, events);
  const known = await checkpoint.versions(new Set(events.map(streamOf)));
  const versions = new Map<string, number>();
  const fresh: LogEvent[] = [];
  for (const event of events) {
    const stream = streamOf(event);
    const last = versions.get(stream) ?? known.get(stream) ?? 0;
    if (event.version <= last) continue;
    if (event.version > last + 1) fresh.push(...(await readGap(reader, event, last + 1)));
    fresh.push(event);
    versions.set(stream, event.version);
  }
  return { fresh, versions };
}

/** The versions before `event`, from `from` on, as the owner has them. A version that it lacks is a broken event. */
async function readGap(
  { key: { consumer, source }, limits, logger, readStream }: ReaderContext,
  event: LogEvent,
  from: number,
): Promise<LogEvent[]> {
  const missing = event.version - from;
  if (missing > limits.gapEventsMax)
    throw streamErrors.LOG_HOLE({ consumer, source, version: from - 1, event: event.eventId });
  logger.info(`consumer ${consumer}: ${missing} events are missing before ${event.eventId}, reading them`);
  const found = byVersion(await readStream(source, event.stream, from, missing));
  return Array.from({ length: missing }, (_, i) => found.get(from + i) ?? absent(event, from + i));
}

/**
 * Events of one stream, in order, as the owner gives them today: in the shape of its release, and whole where it has been
 * given what was missing. An event that it lacks stays as it was. While no node of the owner answers, none of them can be
 * handled, as if a newer release had written them.
 */
export async function readAgain(
  { key: { source }, readStream }: Pick<ReaderContext, "key" | "readStream">,
  events: readonly LogEvent[],
): Promise<readonly LogEvent[]> {
  const [first, last] = [events[0]!, events.at(-1)!];
  try {
    const found = byVersion(await readStream(source, first.stream, first.version, last.version - first.version + 1));
    return events.map(event => found.get(event.version) ?? event);
  } catch (error) {
    const broken = `${source} cannot be asked: ${plainError(error).message}`;
    return events.map(event => ({ ...event, broken, isNewer: true }));
  }
}

/** The events, where those that the answering node could not decode are read again: another node of the owner may. */
export async function decoded(reader: ReaderContext, events: readonly LogEvent[]): Promise<readonly LogEvent[]> {
  const broken = events.filter(event => event.broken !== undefined && !isAbsent(event) && reader.wants(event));
  if (broken.length === 0) return events;
  const read = new Map<string, LogEvent>();
  const streams = [...Map.groupBy(broken, streamOf).values()];
  await sideBySide(streams, reader.limits.streamsAtOnce, async own => {
    for (const event of await readAgain(reader, own)) read.set(event.eventId, event);
  });
  return events.map(event => read.get(event.eventId) ?? event);
}

const byVersion = (events: readonly LogEvent[]): Map<number, LogEvent> =>
  new Map(events.map(event => [event.version, event]));

/** Type of an event of which only the version is known. */
const ABSENT = "";
export const isAbsent = ({ type }: { type: string }): boolean => type === ABSENT;
const absent = (neighbour: LogEvent, version: number): LogEvent => ({
  ...neighbour,
  eventId: `${streamOf(neighbour)}@${version}`,
  version,
  type: ABSENT as never,
  data: Object.create(null) as never,
  broken: "it is missing in the log",
});

/** Why an event with `broken` cannot be handled: one of a newer release is readable elsewhere, or here after a deploy. */
export const unreadable = ({ eventId, broken, isNewer }: LogEvent): Error =>
  isNewer
    ? storeErrors.UNREADABLE_HERE({ message: `${eventId}: ${broken}`, retryAfterMs: 100 })
    : streamErrors.EVENT_BROKEN({ message: broken ?? "" });
