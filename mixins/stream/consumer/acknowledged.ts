// Which streams nobody needs any more: what the owner asks before it lets them go to the cold part. Every service that
// consumes has to have taken them, and no open saga may still call their actors. What is not known stays.
import type { ServiceBroker } from "moleculer";
import { plainError } from "../../kernel/index.ts";
import { inChunks } from "../chunks.ts";
import type { Subscriber } from "./subscribers.ts";

/** Params of `<service>.taken`: actors of one source, each with the version that has to have been taken. */
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
  /** Ids of the streams that nobody needs. */
  readonly ids: ReadonlySet<string>;
  readonly kept: readonly Kept[];
}

/** Streams of one question: at most 100 bytes each, far below what a message may be. */
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
  asked: AcknowledgedQuery,
  subscribers: readonly Subscriber[],
  onKept: (reason: string, streams: number) => void,
): Promise<ReadonlySet<string>> {
  let left = new Set(asked.streams.map(({ id }) => id));
  const keep = (ids: ReadonlySet<string>, reason: string): void => {
    if (ids.size > 0) onKept(reason, ids.size);
    left = left.difference(ids);
  };
  const ask = async (service: string, action: string, params: object): Promise<ReadonlySet<string> | undefined> => {
    try {
      return new Set((await broker.call<{ ids: string[] }, object>(`${service}.${action}`, params)).ids);
    } catch (error) {
      keep(left, `${service} does not say what it needs: ${plainError(error).type}`);
      return undefined;
    }
  };
  for (const { service, isAvailable } of subscribers) {
    if (!isAvailable) keep(left, `${service} is away: nobody knows what it needs`);
    const taken = left.size > 0 ? await ask(service, "taken", asked) : undefined;
    if (taken) keep(left.difference(taken), `${service} has not taken all of their events`);
  }
  // Then the sagas: whatever these events were to start has been started.
  for (const { service } of subscribers.filter(({ hasSagas }) => hasSagas)) {
    const held = left.size > 0 ? await ask(service, "held", { ids: [...left] } satisfies Held) : undefined;
    if (held) keep(left.intersection(held), `open sagas of ${service} may call them`);
  }
  return left;
}
