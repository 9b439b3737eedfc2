// Where a consumer stands while its own database is away: from its last reading, and from the ends of the logs that it reads, which
// go on. Without it the lag would be unknown just when events wait.
import type { ConsumerStatus } from "./status.ts";

/** Events of a source after a cursor; null when the source does not answer. */
export type LagOf = (source: string, cursor: string) => Promise<number | null>;

interface Reading {
  readonly status: ConsumerStatus;
  readonly places: readonly (readonly [source: string, cursor: string])[];
  /** Monotonic milliseconds. */
  readonly at: number;
}

export class LastKnown {
  readonly #waitMs: number;
  readonly #readings = new Map<string, Reading>();

  /** `waitMs`: milliseconds that the database may take. */
  constructor(waitMs: number) {
    this.#waitMs = waitMs;
  }

  /**
   * The status as `read` has it; when its database fails or is late, as it was, with the lag that there is now. Nothing
   * moves a consumer meanwhile. Throws what `read` throws when there was no reading before.
   */
  async statusOf(name: string, lagOf: LagOf, read: (lagOf: LagOf) => Promise<ConsumerStatus>): Promise<ConsumerStatus> {
    const places: [string, string][] = [];
    const reading = read((source, cursor) => {
      // The first is the consumer's. Those that come after it, if they are asked for, are of its partitions.
      if (!places.some(([known]) => known === source)) places.push([source, cursor]);
      return lagOf(source, cursor);
    }).then(status => {
      this.#readings.set(name, { status, places, at: performance.now() });
      return status;
    });
    const last = this.#readings.get(name);
    if (!last) return reading;
    const late = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => late.resolve(undefined), this.#waitMs);
    const status = await Promise.race([reading.catch(() => undefined), late.promise]);
    clearTimeout(timer);
    return status ?? (await statusNow(last, lagOf));
  }

  forget(name: string): void {
    this.#readings.delete(name);
  }
}

async function statusNow({ status, places, at }: Reading, lagOf: LagOf): Promise<ConsumerStatus> {
  // Without the partitions: nobody knows now which node has them, and where.
  const { partitions: _, ...whole } = status;
  const lags = await Promise.all(places.map(place => lagOf(...place)));
  const lagEvents =
    status.lagEvents === null || lags.includes(null) ? null : lags.reduce<number>((sum, lag) => sum + lag!, 0);
  // At most: the first event that waits has come at some time since.
  const lagMs = lagEvents === 0 ? 0 : status.lagMs + Math.round(performance.now() - at);
  return { ...whole, lagEvents, lagMs };
}
