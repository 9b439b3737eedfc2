// One service an actor type: consumers know a stream by its actor's type and id, and would take the streams of two services,
// each with a database of its own, for one. One service may run on any number of nodes, in several releases.
import type { Service } from "moleculer";
import { Bug } from "../kernel/index.ts";

interface Listed {
  readonly name: string;
  readonly fullName: string;
  readonly nodeID?: string;
  readonly metadata?: { readonly actor?: unknown };
}

/**
 * Throws Bug `ACTOR_HOSTED_TWICE` when a service of another name, here or on a live node, hosts actors of this type. Two that
 * start at once see each other only afterwards: then an error is logged. Returns a function that stops the watch.
 */
export function hostAlone(service: Service): () => void {
  const { broker, logger } = service;
  const rival = rivalOf(service);
  if (rival !== undefined) throw new Bug("ACTOR_HOSTED_TWICE", rival);
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

function rivalOf({ broker, name, fullName, metadata }: Service): string | undefined {
  const remote = broker.registry.getServiceList({ onlyAvailable: true }) as unknown as Listed[];
  const actor: unknown = metadata["actor"];
  const rival = [...(broker.services as unknown as Listed[]), ...remote].find(
    other => other.name !== name && other.metadata?.actor === actor,
  );
  if (!rival) return undefined;
  const where = rival.nodeID === undefined || rival.nodeID === broker.nodeID ? "here" : `on ${rival.nodeID}`;
  return `${fullName} hosts actors of type "${String(actor)}", and so does ${rival.fullName} ${where}`;
}
