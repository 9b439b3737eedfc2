// One service an actor type: consumers know a stream by its actor's type and id, and would take the streams of two services,
// each with a database of its own, for one. One service may run on any number of nodes, in several releases.
import type { Service } from "moleculer";
import { listedServices, type ListedService } from "../contract/index.ts";
import { actorErrors } from "./errors.ts";

/**
 * Throws Bug `ACTOR_HOSTED_TWICE` when a service of another name, here or on a live node, hosts actors of this type. Two that
 * start at once see each other only afterwards: then an error is logged. Returns a function that stops the watch.
 */
export function hostAlone(service: Service): () => void {
  const { broker, logger } = service;
  const rival = rivalOf(service);
  if (rival !== undefined) throw actorErrors.ACTOR_HOSTED_TWICE({ message: rival });
  const told = new Set<string>();
  const look = (): void => {
    const rival = rivalOf(service);
    if (rival === undefined || told.has(rival)) return;
    told.add(rival);
    logger.error(`${rival}: stop one of them: consumers take their streams for one`);
  };
  broker.localBus.on("$services.changed", look);
  return () => void broker.localBus.off("$services.changed", look);
}

/** A service of this process. */
type Here = Omit<ListedService, "nodeID"> & { readonly nodeID?: undefined };

function rivalOf({ broker, name, fullName, metadata }: Service): string | undefined {
  const remote = listedServices(broker, { onlyAvailable: true });
  const actor = metadata["actor"] as string | undefined;
  if (actor === undefined) return undefined;
  const rival = [...(broker.services as unknown as Here[]), ...remote].find(
    other => other.name !== name && other.metadata?.actor === actor,
  );
  if (!rival) return undefined;
  const where = rival.nodeID === undefined || rival.nodeID === broker.nodeID ? "here" : `on ${rival.nodeID}`;
  return `${fullName} hosts actors of type "${actor}", and so does ${rival.fullName} ${where}`;
}
