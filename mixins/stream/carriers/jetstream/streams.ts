// The streams of JetStream that a broker's services have, and their making before a roll-out.
import type { ServiceBroker } from "moleculer";
import { connect } from "nats";
import { natsOptions, nodeEnvironment } from "../../../kernel/index.ts";
import { streamEnvironment } from "../../environment.ts";
import { readsLog } from "../../log/registry.ts";
import { ingressesIn, type Where } from "../../ingress/announced.ts";
import { ensureStream } from "../../ingress/inlets/ensure-stream.ts";
import { Channel } from "./channel.ts";
import { jetStreamOf } from "./connection.ts";

export interface StreamUse {
  /** Name of the service, without its version. */
  readonly service: string;
  /** Sources: full names of services with logs. The one that it owns, and those whose events its consumers take. */
  readonly owns: readonly string[];
  readonly reads: readonly string[];
  /** Streams from outside, whose messages its ingresses take. */
  readonly takes: readonly Where[];
}

/** The use that each of a broker's services makes of durable events. The services need not have started. */
export function streamUses({ services }: ServiceBroker): StreamUse[] {
  const owners = services.flatMap(({ fullName, metadata }) =>
    metadata["events"] === undefined ? [] : [{ source: fullName, events: metadata["events"] as object }],
  );
  return services.map(({ name, fullName, metadata }) => ({
    service: name,
    owns: owners.filter(({ source }) => source === fullName).map(({ source }) => source),
    reads: owners
      .filter(({ events }) => readsLog((metadata["takes"] ?? {}) as object, events))
      .map(({ source }) => source),
    takes: ingressesIn(metadata["ingresses"]).flatMap(([, { jetstream }]) => jetstream ?? []),
  }));
}

/**
 * Makes the streams of a broker's services, or gives those that are there today's bounds. `onDone` is told each. Does
 * nothing where another carrier moves the events. Rejects with the NATS client's error, and with STREAM_MISSING when the
 * user may not make a stream.
 */
export async function makeStreams(broker: ServiceBroker, onDone: (stream: string) => void): Promise<void> {
  const { CARRIER, JETSTREAM_DOMAIN } = streamEnvironment.of(broker);
  const node = nodeEnvironment.of(broker);
  if (CARRIER !== "jetstream") return;
  const nats = await connect({ ...natsOptions(node.NATS_URL!, node), reconnect: false });
  try {
    const { manager } = await jetStreamOf(nats, JETSTREAM_DOMAIN);
    for (const source of streamUses(broker).flatMap(({ owns }) => owns)) {
      const channel = new Channel(node.NAMESPACE, source);
      await channel.ensure(manager);
      onDone(channel.name);
    }
    for (const where of streamUses(broker).flatMap(({ takes }) => takes)) {
      await ensureStream(manager, where);
      onDone(where.stream);
    }
  } finally {
    await nats.close();
  }
}
