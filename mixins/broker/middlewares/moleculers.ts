// Middlewares of Moleculer's that ours are made of. Its types leave them out.
import * as moleculer from "moleculer";
import type { ActionSchema, Context, ServiceBroker } from "moleculer";

export type Next = (ctx: Context) => Promise<unknown>;
export type Wrap = (this: ServiceBroker, next: Next, action: ActionSchema) => Next;

interface Middlewares {
  readonly ContextTracker: (broker: ServiceBroker) => object;
  readonly Fallback: (broker: ServiceBroker) => { readonly localAction: Wrap; readonly remoteAction: Wrap };
}
export const { ContextTracker, Fallback } = (moleculer as unknown as { Middlewares: Middlewares }).Middlewares;
