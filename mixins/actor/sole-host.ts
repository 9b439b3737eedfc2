// One service an actor type: consumers know a stream by its actor's type and id, so the streams of two services, each with a
// database of its own, would be one to them. Of one service there are as many nodes as there may be, and as many releases.
import type { Service } from "moleculer";
import { listedServices, type ListedService } from "../contract/index.ts";
import { actorErrors } from "./errors.ts";

/**
 * Throws Bug `ACTOR_HOSTED_TWICE` when a service of another name, here or on a live node, hosts actors of this type. Two that
 * start at once see each other only afterwards: then the log is told. Answers what ends that.
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
    logger.error(`${rival}: stop one of them, their streams are one to who consumes them`);
  };
  broker.localBus.on("$services.changed", look);
  return () => void broker.localBus.off("$services.changed", look);
}

/** A service of this process. */
type Here = Omit<ListedService, "nodeID"> & { readonly nodeID?: undefined };

function rivalOf({ broker, name, fullName, metadata }: Service): string | undefined {
  const remote = listedServices(broker, { onlyAvailable: true });
  const actor: unknown = metadata["actor"];
  const rival = [...(broker.services as unknown as Here[]), ...remote].find(
    other => other.name !== name && other.metadata?.actor === actor,
  );
  if (!rival) return undefined;
  const where = rival.nodeID === undefined || rival.nodeID === broker.nodeID ? "here" : `on ${rival.nodeID}`;
  return `${fullName} hosts actors of type "${String(actor)}", and so does ${rival.fullName} ${where}`;
}
