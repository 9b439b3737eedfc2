// The queries of an action end their waits with its call (`database/waiting.ts`), so its work is marked as the call's.
// Handlers of events work for nobody who waits, whichever call has emitted the event.
import type { ActionSchema, Context, Middleware, Service } from "moleculer";
import { hasQueriesInCalls, workFor, workForNobody } from "../../kernel/index.ts";

type Handler = (ctx: Context) => Promise<unknown>;
type Action = ActionSchema & { readonly service: Service };

export const callAtHand = {
  name: "CallAtHand",
  localAction(next: Handler, { service }: Action): Handler {
    return ctx => (hasQueriesInCalls(service) ? workFor(ctx, next as (call: object) => Promise<unknown>) : next(ctx));
  },
  localEvent(next: Handler): Handler {
    return ctx => workForNobody(() => next(ctx));
  },
} as unknown as Middleware;
