// Ends the wait for an answer once a call has taken as long as it may: its own `timeout`, the action's, or REQUEST_TIMEOUT_MS. The
// action itself goes on. Moleculer's own middleware (0.15.2, src/middlewares/timeout.js, and its `Promise.prototype.timeout`)
// makes seven promises for each call, a race among them; here it is one.
import { Stream } from "node:stream";
import { Errors, type ActionSchema, type Context, type Middleware, type ServiceBroker } from "moleculer";

type Ctx = Context & { startHrTime?: [number, number] | null };
type Next = (ctx: Ctx) => Promise<unknown>;
type Action = ActionSchema & { readonly name: string; readonly timeout?: number };

export const timeouts = (broker: ServiceBroker): Middleware => {
  const wrap = (next: Next, { name: action, timeout: own }: Action): Next => {
    const late = (ctx: Ctx, timeout: number): Error => {
      const { nodeID, params, requestID } = ctx;
      broker.logger.warn(`Request '${action}' is timed out.`, { requestID, nodeID, timeout });
      // Moleculer stops to send a stream at this event.
      if (params instanceof Stream) params.emit("moleculer-timeout-middleware", timeout);
      return new Errors.RequestTimeoutError({ action, nodeID: nodeID ?? "" });
    };
    return function timed(ctx) {
      const ms = (ctx.options.timeout ??= own ?? broker.options.requestTimeout ?? 0);
      if (!(ms > 0)) return next(ctx);
      // From here on nested calls count down.
      ctx.startHrTime ??= process.hrtime();
      const answer = next(ctx);
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(late(ctx, ms)), ms);
        answer.then(
          value => {
            clearTimeout(timer);
            resolve(value);
          },
          (error: Error) => {
            clearTimeout(timer);
            reject(error);
          },
        );
      });
    };
  };
  return { name: "Timeouts", localAction: wrap, remoteAction: wrap } as unknown as Middleware;
};
