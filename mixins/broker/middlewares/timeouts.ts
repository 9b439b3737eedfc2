// Ends the wait for an answer once a call has taken as long as it may: its own `timeout`, the action's, or REQUEST_TIMEOUT_MS. The
// action itself goes on, and is under way until it ends: a stop waits for it. Moleculer's own middlewares (0.15.2,
// src/middlewares/timeout.js with its `Promise.prototype.timeout`, and context-tracker.js) make nine promises for each call, a
// race among them; here it is two.
import { Stream } from "node:stream";
import { Errors, type ActionSchema, type Context, type Middleware, type ServiceBroker } from "moleculer";
import { ContextTracker } from "./moleculers.ts";

type Ctx = Omit<Context, "service"> & {
  startHrTime?: [number, number] | null;
  /** Of an action of this node. */
  readonly service?: Tracking | null;
};
type Next = (ctx: Ctx) => Promise<unknown>;
type Action = ActionSchema & { readonly name: string; readonly timeout?: number };

/** What has calls under way: a service, or a broker for the calls of other nodes. */
interface Tracking {
  _trackedContexts?: Ctx[];
}

export const timeouts = (broker: ServiceBroker): Middleware => {
  const isTracking = broker.options.tracking?.enabled === true;
  const track = (ctx: Ctx): Ctx[] | undefined => {
    if (!isTracking || ctx.options.tracking === false) return undefined;
    const { _trackedContexts: underWay } = ctx.service ?? (broker as Tracking);
    underWay?.push(ctx);
    return underWay;
  };
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
      // From here on nested calls count down.
      if (ms > 0) ctx.startHrTime ??= process.hrtime();
      const underWay = track(ctx);
      let answer: Promise<unknown>;
      try {
        answer = next(ctx);
      } catch (error) {
        leave(underWay, ctx);
        throw error;
      }
      if (!(ms > 0)) {
        const ended = (): void => leave(underWay, ctx);
        answer.then(ended, ended);
        return answer;
      }
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(late(ctx, ms)), ms);
        answer.then(
          value => {
            clearTimeout(timer);
            leave(underWay, ctx);
            resolve(value);
          },
          (error: Error) => {
            clearTimeout(timer);
            leave(underWay, ctx);
            reject(error);
          },
        );
      });
    };
  };
  // Moleculer's waits at a stop, and its tracking of events.
  return {
    ...ContextTracker(broker),
    name: "Timeouts",
    localAction: wrap,
    remoteAction: wrap,
  } as unknown as Middleware;
};

function leave(underWay: Ctx[] | undefined, ctx: Ctx): void {
  if (!underWay) return;
  const at = underWay.indexOf(ctx);
  // The last one takes its place: a stop waits until there is none, in whichever order.
  const last = at < 0 ? undefined : underWay.pop();
  if (last !== undefined && last !== ctx) underWay[at] = last;
}
