// The queries of an action end their waits with its call (`database/waiting.ts`), and its lines in the log name the call's
// request (`log/line.ts`), so its work is marked as the call's. Moleculer's own actions need neither. Handlers of events work for nobody who waits, whichever call has emitted the event.
import type { ActionSchema, Context, Middleware, Service } from "moleculer";
import { hasQueriesInCalls, workFor, workForNobody } from "../../kernel/index.ts";

type Handler = (ctx: Context) => Promise<unknown>;
type Action = ActionSchema & { readonly service: Service };

export const callAtHand = {
  name: "CallAtHand",
  localAction(next: Handler, { service }: Action): Handler {
    if (service.name.startsWith("$")) return next;
    return ctx => workFor(ctx, next as (call: object) => Promise<unknown>, hasQueriesInCalls(service));
  },
  localEvent(next: Handler): Handler {
    return ctx => workForNobody(() => next(ctx));
  },
} as unknown as Middleware;
