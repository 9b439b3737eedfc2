// Handles events that are new: first the consumer's calls, outside of a transaction, then its writes and the checkpoint in
// one transaction. A crash between the two repeats the calls under the same command ids; a crash before the commit leaves
// nothing of the transaction, a crash after it everything.
//
// A failure is its event's, and of the events behind it in its stream; other streams go on. While the node stops, a
// failure may come from a component that stops beside it, so the batch is given up and no event is charged.
import { failpoint } from "../failpoints.ts";
import type { Knex } from "knex";
import { asError, Bug, plainError } from "../../kernel/index.ts";
import type { LogEvent } from "../log/source.ts";
import { streamOf } from "./checkpoint.ts";
import type { Failure, Failures, HandlingContext } from "./consumer.ts";
import { unreadable } from "./judging.ts";
import { sideBySide } from "./side-by-side.ts";
import { streamErrors } from "../errors.ts";

/** An event failed, and the consumer stops at failed events. */
export class Poisoned extends Error {
  readonly event: LogEvent;
  constructor({ event, error }: Failure) {
    super(`${event.eventId}: ${plainError(error).message}`, { cause: error });
    this.event = event;
  }
}

/** The node is stopping, and events failed: nothing of the batch is kept. */
export class Leaving extends Error {
  constructor() {
    super("the node is stopping");
  }
}

/**
 * Calls, then writes and `commit` in one transaction. Events that the consumer does not handle are passed over.
 * `stopsAtFailure`: the first failure rejects instead of reaching `commit`.
 * @throws Poisoned, Leaving
 */
export async function handle(
  reader: HandlingContext,
  events: readonly LogEvent[],
  stopsAtFailure: boolean,
  commit: (trx: Knex.Transaction, failures: Failures) => Promise<void>,
): Promise<void> {
  const { consumer, database, isLeaving, traced, wants } = reader;
  const failures: Failures = new Map();
  const ready: LogEvent[] = [];
  for (const event of events)
    if (wants(event) && !failures.has(streamOf(event)))
      if (event.broken === undefined) ready.push(event);
      else failures.set(streamOf(event), { event, error: unreadable(event) });
  const stopAtFirst = (): void => {
    const [first] = failures.values();
    if (stopsAtFailure && first) throw new Poisoned(first);
  };
  const chargeNoneWhileLeaving = (): void => {
    if (isLeaving() && failures.size > 0) throw new Leaving();
  };
  stopAtFirst();
  if (consumer.react) await react(reader, ready, failures);
  stopAtFirst();
  chargeNoneWhileLeaving();
  const write = (): Promise<void> =>
    (consumer.transactions ?? database).transaction(async trx => {
      if (consumer.write)
        for (const [stream, failure] of await consumer.write(trx, ready)) failures.set(stream, failure);
      chargeNoneWhileLeaving();
      stopAtFirst();
      await commit(trx, failures);
      failpoint("consumer:before-commit");
    });
  // A consumer that only calls has its spans there.
  await (consumer.write && traced ? traced(ready, write) : write());
  failpoint("consumer:after-commit");
}

async function react(
  { key, consumer, limits, logger, traced }: HandlingContext,
  events: readonly LogEvent[],
  failures: Failures,
): Promise<void> {
  await sideBySide([...Map.groupBy(events, streamOf)], limits.streamsAtOnce, async ([stream, own]) => {
    for (const event of own)
      try {
        const reaction = (): Promise<unknown> => consumer.react!(event);
        await within(limits.reactMs, event, traced ? traced([event], reaction) : reaction());
      } catch (error) {
        failures.set(stream, { event, error: asError(error) });
        if (error instanceof LateReaction) logger.warn(`consumer ${key.consumer}: ${error.message}`);
        return;
      }
  });
}

/** Whether the event failed, or follows in its stream on one that did. */
export function isAtOrBehind(event: LogEvent, failures: Failures): boolean {
  const failure = failures.get(streamOf(event));
  return failure !== undefined && event.version >= failure.event.version;
}

/** The reaction has held up the events of all streams, so it is logged each time. */
class LateReaction extends Bug {
  constructor(eventId: string, ms: number) {
    super(streamErrors.REACTION_TOO_LONG.code, `${eventId} was not handled within ${ms} ms`);
  }
}

/** The reaction, or a LateReaction once it takes too long; its later result is dropped. */
async function within(ms: number, { eventId }: LogEvent, reaction: Promise<unknown>): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new LateReaction(eventId, ms)), ms);
  try {
    await Promise.race([reaction, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
