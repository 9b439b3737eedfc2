import { Cachers, type Context } from "moleculer";
import { countCached } from "./count.ts";
import { SingleFlight } from "./single-flight.ts";
import { limits } from "./limits.ts";

type Handler = (ctx: Context) => Promise<unknown>;

/** Moleculer's bounded cacher; concurrent misses of one key run the handler once. Each node has its own. */
export class MemoryCacher extends Cachers.MemoryLRU {
  readonly #flight = new SingleFlight();

  constructor() {
    super({ max: limits.entriesMax, maxParamsLength: limits.keyCharsMax });
  }

  override middlewareWithoutLock(ctx: Context, key: string, handler: Handler, opts: { ttl?: number }) {
    // A hit is answered at once: as one of several that may miss together it costs eight promises.
    const cached = (this as unknown as { cache: { get(key: string): unknown } }).cache.get(key);
    if (cached !== undefined) {
      countCached(ctx, true);
      ctx.cachedResult = true;
      return Promise.resolve(cached);
    }
    return this.#flight.join(key, async isCurrent => {
      countCached(ctx, false);
      const answer = await handler(ctx);
      if (isCurrent()) await this.set(key, answer, opts.ttl);
      return answer;
    });
  }
  override middlewareWithLock(ctx: Context, key: string, handler: Handler, opts: { ttl?: number }) {
    return this.middlewareWithoutLock(ctx, key, handler, opts);
  }

  override clean(match?: string | string[]): Promise<void> {
    this.#flight.clean();
    return super.clean(match);
  }
}
