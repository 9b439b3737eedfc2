import { Cachers, type Context } from "moleculer";
import { Flights } from "./flights.ts";
import { limits } from "./limits.ts";

type Handler = (ctx: Context) => Promise<unknown>;

/** Moleculer's bounded cacher, with one run of the handler for all who miss at once. Each node has its own. */
export class MemoryCacher extends Cachers.MemoryLRU {
  readonly #flights = new Flights();

  constructor() {
    super({ max: limits.entriesMax, maxParamsLength: limits.keyCharsMax });
  }

  override middlewareWithoutLock(ctx: Context, key: string, handler: Handler, opts: { ttl?: number }) {
    return this.#flights.join(key, async isCurrent => {
      const cached = await this.get(key);
      if (cached !== undefined) {
        ctx.cachedResult = true;
        return cached;
      }
      const answer = await handler(ctx);
      if (isCurrent()) await this.set(key, answer, opts.ttl);
      return answer;
    });
  }
  override middlewareWithLock(ctx: Context, key: string, handler: Handler, opts: { ttl?: number }) {
    return this.middlewareWithoutLock(ctx, key, handler, opts);
  }

  override clean(match?: string | string[]): Promise<void> {
    this.#flights.clean();
    return super.clean(match);
  }
}
