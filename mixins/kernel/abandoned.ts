// Calls for a client that has left: what waits for its turn on their behalf is not begun. Kept beside the contexts, since
// it is the contexts of Moleculer that know who called whom.
const abandoned = new WeakSet<object>();

interface Calling {
  readonly options?: { readonly parentCtx?: unknown };
}

/** The client of this call has left. */
export const abandon = (ctx: object): void => void abandoned.add(ctx);

/** Whether the client has left for which this call, or one that it is part of on this node, is made. */
export function isAbandoned(ctx: object): boolean {
  for (let at: object | undefined = ctx; at; at = (at as Calling).options?.parentCtx as object | undefined)
    if (abandoned.has(at)) return true;
  return false;
}
