// Questions that each node answers for itself, by an internal service of its own.
import type { Context as MoleculerContext } from "moleculer";
import type { Context } from "../contract/index.ts";

export interface NodeAnswer<T> {
  readonly node: string;
  readonly answer: T;
  /** When the question left and the answer came, on this node's clock; milliseconds since the epoch. */
  readonly sentAt: number;
  readonly cameAt: number;
}

/**
 * Asks every node that is there, or those that are named, all at once, on behalf of the caller. `silent`: nodes that gave
 * no answer within `timeoutMs` milliseconds, or refused.
 */
export async function askNodes<T>(
  ctx: Context,
  action: string,
  { params = {}, timeoutMs, nodes }: { params?: object; timeoutMs: number; nodes?: readonly string[] },
): Promise<{ answers: readonly NodeAnswer<T>[]; silent: readonly string[] }> {
  const call = (ctx as unknown as MoleculerContext).call.bind(ctx);
  const available = ctx.broker.registry.getNodeList({ onlyAvailable: true }) as { id: string }[];
  const silent: string[] = [];
  const asked = (nodes ?? available.map(({ id }) => id)).map(async (node): Promise<NodeAnswer<T>[]> => {
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
