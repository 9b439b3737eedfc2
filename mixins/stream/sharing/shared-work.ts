// Work that the nodes of a service share by partitions: firing timers, driving sagas, reading logs (shares.ts). All of a
// service's work has its leases in one table, which each node reads once a turn.
import type { Service, ServiceBroker } from "moleculer";
import { streamEnvironment } from "../environment.ts";
import { STREAM_LIMITS, type StreamLimits } from "../limits.ts";
import { streamTables } from "../tables.ts";
import { Shares } from "./shares.ts";

const registries = new WeakMap<Service, Promise<Shares>>();

/** The shares of a service instance: one set for all of its work. */
export function sharesOf(service: Service): Promise<Shares> {
  let shares = registries.get(service);
  if (!shares) {
    shares = open(service);
    registries.set(service, shares);
  }
  return shares;
}

async function open(service: Service): Promise<Shares> {
  const { broker, logger } = service;
  const database = await streamTables(service);
  const count = Number(streamEnvironment.of(broker).PARTITIONS);
  return new Shares({
    database,
    nodeId: broker.nodeID,
    count,
    limits: STREAM_LIMITS,
    logger,
    watch: shares => watchNodes(broker, shares),
    isConnected: () => isConnected(broker),
  });
}

/** Whether the node reaches the bus. Moleculer's `transit.connected` stays true while the connection is lost. */
const isConnected = ({ transit }: ServiceBroker): boolean =>
  (transit as { tx?: { connected: boolean } } | null)?.tx?.connected ?? true;

/** Tells which nodes the broker loses and finds. Returns the function that ends it. */
function watchNodes(broker: ServiceBroker, shares: Shares): () => void {
  const { localBus } = broker;
  const onLost = ({ node }: { node: { id: string } }): void => {
    // While this node has no connection itself, it knows nothing of the others.
    if (isConnected(broker)) shares.lost(node.id);
  };
  const onFound = ({ node }: { node: { id: string } }): void => shares.found(node.id);
  localBus.on("$node.disconnected", onLost);
  localBus.on("$node.connected", onFound);
  return () => {
    localBus.off("$node.disconnected", onLost);
    localBus.off("$node.connected", onFound);
  };
}

/** This node's part of a work. */
export interface SharedWork {
  /** Number of partitions. */
  readonly count: number;
  /** Ids of the nodes that have the partitions, by partition; undefined where none has. */
  owners(): Promise<(string | undefined)[]>;
  /** Leaves the work to other nodes. Resolves when `onChange` has. */
  end(): Promise<void>;
}

/**
 * Takes part in a work; `onChange` is told the partitions that are this node's, and of how many, and resolves when it works on
 * no other one. A broker without a transporter is the only node: it has all of them without asking the database. A release that did the work
 * on one node, as a singleton of this name (singleton.ts), takes turns with it.
 */
export async function shareWork(
  service: Service,
  work: string,
  onChange: (partitions: ReadonlySet<number>, count: number) => Promise<void>,
  limits: Pick<StreamLimits, "leaseMs" | "lookMs"> = STREAM_LIMITS,
): Promise<SharedWork> {
  const count = Number(streamEnvironment.of(service.broker).PARTITIONS);
  if (!service.broker.transit) {
    const all = Array.from({ length: count }, (_, partition) => partition);
    await onChange(new Set(all), count);
    return {
      count,
      owners: async () => all.map(() => service.broker.nodeID),
      end: () => onChange(new Set(), count),
    };
  }
  const shares = await sharesOf(service);
  const name = `work/${work}`;
  shares.add(name, limits, partitions => onChange(partitions, count), `singleton/${work}`);
  return { count, owners: () => shares.owners(name), end: () => shares.remove(name) };
}
