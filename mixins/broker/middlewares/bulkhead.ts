// Bounds the calls of one action that run at once on this node, and the calls that wait. One more is Unavailable, so
// that a slow dependency fills neither memory nor the loop. Moleculer's own (0.15.2) executes waiting calls whose
// callers have given up; here a call is not begun whose time ran out while it waited, or whose client has left.
import { AsyncLocalStorage } from "node:async_hooks";
import type { ActionSchema, Context } from "moleculer";
import { callErrors } from "../../contract/index.ts";
import { elapsedMs, isAbandoned } from "../../kernel/index.ts";

const limits = { concurrency: 1_000, queue: 4_000 };

/** Limits of an action: `bulkhead: { concurrency: 10, queue: 100 }`; with `bulkhead: false` it has none. */
export interface Bulkhead {
  readonly concurrency?: number;
  readonly queue?: number;
}
type Ctx = Context & { startHrTime?: [number, number] };
interface Waiting {
  readonly ctx: Ctx;
  readonly resolve: (answer: Promise<unknown>) => void;
  readonly reject: (error: Error) => void;
  /** Runs what it is given in the call's own context. */
  readonly inOwn: ReturnType<typeof AsyncLocalStorage.snapshot>;
}

export const bulkhead = {
  name: "Bulkhead",
  localAction(next: (ctx: Ctx) => Promise<unknown>, action: ActionSchema & { bulkhead?: Bulkhead | false }) {
    if (action.bulkhead === false) return next;
    const { concurrency, queue } = { ...limits, ...action.bulkhead };
    const waiting: Waiting[] = [];
    let running = 0;

    const begin = (ctx: Ctx): Promise<unknown> => {
      running++;
      try {
        const answer = next(ctx);
        answer.then(end, end);
        return answer;
      } catch (error) {
        // A synchronous throw ends the call as a rejection does.
        end();
        return Promise.reject(error);
      }
    };
    const end = (): void => {
      running--;
      for (let first = waiting.shift(); first; first = waiting.shift()) {
        if (!isLate(first.ctx) && !isAbandoned(first.ctx)) return first.resolve(first.inOwn(begin, first.ctx));
        first.reject(callErrors.DEADLINE_PASSED({ message: `${action.name}: not begun in time` }));
      }
    };
    return function bounded(ctx: Ctx): Promise<unknown> {
      if (running < concurrency) return begin(ctx);
      if (waiting.length >= queue)
        return Promise.reject(
          callErrors.TOO_MANY_CALLS({
            message: `${action.name}: ${queue} calls wait already`,
            retryAfterMs: 250,
          }),
        );
      // It is begun by the end of another call, and not as a part of that one.
      const inOwn = AsyncLocalStorage.snapshot();
      return new Promise((resolve, reject) => waiting.push({ ctx, resolve, reject, inOwn }));
    };
  },
};

const isLate = ({ options: { timeout }, startHrTime }: Ctx): boolean =>
  Boolean(timeout && startHrTime && elapsedMs(startHrTime) > timeout);
