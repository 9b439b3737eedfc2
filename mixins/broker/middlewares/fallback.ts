// Moleculer's own Fallback (0.15.2, src/middlewares/fallback.js) makes a promise for each call; this one only for a call
// that has a fallback, by its caller or by the action.
import type { Middleware, ServiceBroker } from "moleculer";
import { Fallback, type Wrap } from "./moleculers.ts";

export const fallback = (broker: ServiceBroker): Middleware => {
  const { localAction, remoteAction, ...hooks } = Fallback(broker);
  const ofSome =
    (wrap: Wrap): Wrap =>
    (next, action) => {
      const falling = wrap.call(broker, next, action);
      if ((action as { fallback?: unknown }).fallback !== undefined) return falling;
      return ctx => ((ctx.options as { fallbackResponse?: unknown }).fallbackResponse ? falling(ctx) : next(ctx));
    };
  return { ...hooks, localAction: ofSome(localAction), remoteAction: ofSome(remoteAction) };
};
