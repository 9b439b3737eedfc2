// Finds the streams that no service needs any more: the owner asks before it moves them to the cold part of its log.
// Every service that consumes has to have handled their events, and no open saga may still call their actors. In doubt a
// stream stays.
import type { ServiceBroker } from "moleculer";
import { inChunks, plainError } from "../../kernel/index.ts";
import type { Database } from "../../database/index.ts";
import type { Subscriber } from "./subscribers.ts";

/** Params of `<service>.taken`: actors of one source, each with the version up to which it has to be handled. */
export interface AcknowledgedQuery {
  readonly source: string;
  readonly streams: readonly { readonly id: string; readonly version: number }[];
}
/** Params of `<service>.held`: actors that are not to be archived while an open saga may call them. */
export interface Held {
  readonly ids: readonly string[];
}
/** Streams that stay, and why. */
export interface Kept {
  readonly reason: string;
  readonly streams: number;
}
export interface Released {
  /** Ids of the streams that no service needs. */
  readonly ids: ReadonlySet<string>;
  readonly kept: readonly Kept[];
}

// ---- the owner asks

/** Streams of one question: at most 100 bytes each, far below the largest message. */
const ASKED_AT_ONCE = 1_000;

/** Asks every service that consumes or has sagas. One that is away, or does not answer, keeps all that it is asked about. */
export async function releasedByAll(
  broker: ServiceBroker,
  { source, streams }: AcknowledgedQuery,
  subscribers: readonly Subscriber[],
): Promise<Released> {
  const ids = new Set<string>();
  const kept = new Map<string, number>();
  const keep = (reason: string, n: number): unknown => kept.set(reason, (kept.get(reason) ?? 0) + n);
  for (const some of inChunks(streams, ASKED_AT_ONCE))
    for (const id of await releasedOf(broker, { source, streams: some }, subscribers, keep)) ids.add(id);
  return { ids, kept: [...kept].map(([reason, streams]) => ({ reason, streams })) };
}

async function releasedOf(
  broker: ServiceBroker,
  query: AcknowledgedQuery,
  subscribers: readonly Subscriber[],
  onKept: (reason: string, streams: number) => void,
): Promise<ReadonlySet<string>> {
  let left = new Set(query.streams.map(({ id }) => id));
  const keep = (ids: ReadonlySet<string>, reason: string): void => {
    if (ids.size > 0) onKept(reason, ids.size);
    left = left.difference(ids);
  };
  const ask = async (service: string, action: string, params: object): Promise<ReadonlySet<string> | undefined> => {
    try {
      return new Set((await broker.call<{ ids: string[] }, object>(`${service}.${action}`, params)).ids);
    } catch (error) {
      keep(left, `${service} does not tell its needs: ${plainError(error).type}`);
      return undefined;
    }
  };
  for (const { service, isAvailable } of subscribers) {
    if (!isAvailable) keep(left, `${service} is away and may still need them`);
    const acknowledged = left.size > 0 ? await ask(service, "taken", query) : undefined;
    if (acknowledged) keep(left.difference(acknowledged), `${service} has not taken all of their events`);
  }
  // Sagas come after the consumers: by then the events have started every saga that they were to start.
  for (const { service } of subscribers.filter(({ hasSagas }) => hasSagas)) {
    const held = left.size > 0 ? await ask(service, "held", { ids: [...left] } satisfies Held) : undefined;
    if (held) keep(left.intersection(held), `open sagas of ${service} may call them`);
  }
  return left;
}

// ---- a service that consumes answers

/** Ids of the streams that all of these consumers have handled up to their version, and at which none has failed. */
export async function acknowledgedBy(
  { knex }: Database,
  consumers: readonly string[],
  actor: string | undefined,
  { source, streams }: AcknowledgedQuery,
): Promise<string[]> {
  // The versions of a consumer that has stopped are those of another log.
  const stopped = await knex("checkpoints")
    .where({ source })
    .whereIn("consumer", consumers)
    .whereNotNull("stopped")
    .first();
  if (stopped) return [];
  let left = new Map(streams.map(stream => [`${actor}.${stream.id}`, stream]));
  for (const consumer of consumers)
    for (const keys of inChunks([...left.keys()])) {
      const rows = await knex("consumer_versions").where({ consumer }).whereIn("actor_stream", keys);
      const versions = new Map(rows.map(row => [row.actor_stream as string, Number(row.version)]));
      const failed = await knex("parked_streams").where({ consumer }).whereIn("actor_stream", keys);
      for (const row of failed) versions.delete(row.actor_stream);
      left = new Map([...left].filter(([key, { version }]) => !keys.includes(key) || versions.get(key)! >= version));
    }
  return [...left.values()].map(({ id }) => id);
}
