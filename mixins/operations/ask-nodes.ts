// Questions that each node answers for itself, by an internal service of its own.
import type { Context as MoleculerContext, ServiceBroker } from "moleculer";
import type { Context, ListedService } from "../contract/index.ts";

export interface NodeAnswer<T> {
  readonly node: string;
  readonly answer: T;
  /** When the question left and the answer came, on this node's clock; milliseconds since the epoch. */
  readonly sentAt: number;
  readonly cameAt: number;
}

/** Metadata of a node that is an operator's terminal: it serves nobody, and leaves as it likes. */
export const TERMINAL = { isTerminal: true } as const;

interface KnownNode {
  readonly id: string;
  readonly hostname: string;
  readonly metadata?: Partial<typeof TERMINAL> | null;
}

export const isTerminal = ({ metadata }: Pick<KnownNode, "metadata">): boolean => metadata?.isTerminal === true;

/** The nodes that are there, without operators' terminals. */
export const servingNodes = ({ registry }: ServiceBroker): KnownNode[] =>
  (registry.getNodeList({ onlyAvailable: true }) as KnownNode[]).filter(node => !isTerminal(node));

/**
 * Nodes that have gone without a word, or hang: after some seconds the others take them for gone. A node that leaves by intention
 * has told that it has no services any more.
 */
export const lostNodes = (broker: ServiceBroker): LostNode[] =>
  lost(broker).map(({ id, services }) => ({ id, services: services.map(({ name }) => name) }));

/** What the services were that such nodes had. */
export const lostServices = (broker: ServiceBroker): LostService[] => lost(broker).flatMap(({ services }) => services);

function lost({ registry }: ServiceBroker): { id: string; services: readonly LostService[] }[] {
  const known = registry.getNodeList({ withServices: true }) as unknown as (KnownNode & Announced)[];
  return known.flatMap(node => {
    const { id, available, services = [] } = node;
    const isLost = !available && !isTerminal(node) && services.some(({ name }) => name !== "$node");
    return isLost ? [{ id, services }] : [];
  });
}
interface LostNode {
  readonly id: string;
  /** Names of the services that it had. */
  readonly services: readonly string[];
}
interface LostService {
  readonly name: string;
  readonly fullName?: string;
  readonly metadata?: ListedService["metadata"];
}
interface Announced {
  readonly available: boolean;
  readonly services?: readonly LostService[];
}

/** A call to an action of ours, on behalf of its caller; or, for what nobody has asked for, a broker: `{ broker, call }`. */
export type Asker = Pick<Context, "broker" | "call">;

/**
 * Asks every node that is there, or those that are named, all at once, on behalf of the caller. `silent`: nodes that gave
 * no answer within `timeoutMs` milliseconds, or refused; where all are asked, also those that are lost.
 */
export async function askNodes<T>(
  ctx: Asker,
  action: string,
  { params = {}, timeoutMs, nodes }: { params?: object; timeoutMs: number; nodes?: readonly string[] },
): Promise<{ answers: readonly NodeAnswer<T>[]; silent: readonly string[] }> {
  const call = (ctx as unknown as MoleculerContext).call.bind(ctx);
  const silent: string[] = nodes === undefined ? lostNodes(ctx.broker).map(({ id }) => id) : [];
  const asked = (nodes ?? servingNodes(ctx.broker).map(({ id }) => id)).map(async (node): Promise<NodeAnswer<T>[]> => {
    const sentAt = Date.now();
    try {
      const answer = await call<T, object>(action, params, { nodeID: node, timeout: timeoutMs });
      return [{ node, answer, sentAt, cameAt: Date.now() }];
    } catch {
      silent.push(node);
      return [];
    }
  });
  return { answers: (await Promise.all(asked)).flat(), silent: silent.sort() };
}
