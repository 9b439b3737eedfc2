// Jobs of one node, in its memory. A job is a loop around the operation itself: each part is asked for in the operator's name, so
// each is permitted, bounded and recorded as if the operator had sent it. A job that is lost with its node has lost nothing else:
// sagas that it sent on are stuck no more, and another job takes up the others.
import { setTimeout as pause } from "node:timers/promises";
import type { Static } from "typebox";
import { isRefusal, newId, plainError } from "../../kernel/index.ts";
import { operationErrors } from "../errors.ts";
import type { Job as Shape, JOB_OPERATIONS } from "./contract.ts";

export type Job = Static<typeof Shape>;

export const limits = {
  /** Jobs that a node works on at once. */
  running: 4,
  /** Jobs that it remembers. */
  remembered: 50,
  /** Sagas of one part: what one request may have. */
  part: 500,
  /** Ids that are told of each refusal. */
  named: 20,
  /** Parts in a row that may fail, and the milliseconds between them: a service that is restarted is away for some seconds. */
  triesMax: 10,
  againMs: 2_000,
} as const;

/** What the operation answers about one part: see `BulkAnswer` of the saga floor. */
export interface Part {
  readonly sagas: number;
  readonly refused: readonly Refused[];
  readonly hasMore: boolean;
  readonly nextAfter?: string;
}
type Refused = { readonly type?: unknown; readonly sagas?: unknown; readonly ids?: unknown };

export interface Order {
  readonly operation: (typeof JOB_OPERATIONS)[number];
  readonly by: string;
  readonly note: string;
  readonly filter: Readonly<Record<string, unknown>>;
  readonly total: number;
  readonly services: readonly string[];
  /** Does one part, of a service, after a saga. */
  readonly part: (service: string, after: string | undefined) => Promise<Part>;
}

interface Kept {
  job: Job;
  readonly refused: Map<string, { sagas: number; ids: string[] }>;
  readonly ended: Promise<void>;
}

export class Jobs {
  readonly #node: string;
  readonly #kept = new Map<string, Kept>();
  readonly #stopping = new AbortController();

  constructor(node: string) {
    this.#node = node;
  }

  /** @throws Refusal `TOO_MANY_JOBS` */
  start(order: Order): Job {
    const running = this.list().filter(({ state }) => state === "running").length;
    if (running >= limits.running) throw operationErrors.TOO_MANY_JOBS({ jobs: running });
    const { operation, by, note, filter, total } = order;
    const started = { state: "running", node: this.#node, startedAt: new Date().toISOString() } as const;
    const counts = { total, done: 0, sentOn: 0, refused: [] };
    const job: Job = { id: newId(), operation, by, note, filter, ...started, ...counts };
    const { promise, resolve } = Promise.withResolvers<void>();
    const kept: Kept = { job, refused: new Map(), ended: promise };
    this.#kept.set(job.id, kept);
    this.#forget();
    void this.#run(kept, order).finally(resolve);
    return job;
  }

  /** The newest first. */
  list(): Job[] {
    return [...this.#kept.values()].map(({ job }) => job).reverse();
  }

  find(id: string): Job | undefined {
    return this.#kept.get(id)?.job;
  }

  /** Undefined where there is no such job. */
  stop(id: string, by: string): Job | undefined {
    const kept = this.#kept.get(id);
    if (kept?.job.state === "running") end(kept, { state: "stopped", stoppedBy: by });
    return kept?.job;
  }

  /** Ends all that run. */
  async close(): Promise<void> {
    this.#stopping.abort();
    const all = [...this.#kept.values()];
    for (const kept of all)
      if (kept.job.state === "running") end(kept, { state: "stopped", trouble: "the node stops" });
    await Promise.all(all.map(({ ended }) => ended));
  }

  async #run(kept: Kept, { services, part }: Order): Promise<void> {
    for (const service of services) {
      let after: string | undefined;
      do {
        const done = await this.#persist(kept, () => part(service, after));
        if (done === undefined || kept.job.state !== "running") return;
        // Without a place to go on from, a release before ours would begin from the start for ever.
        after = done.hasMore ? done.nextAfter : undefined;
      } while (after !== undefined);
    }
    end(kept, { state: "done" });
  }

  /** Tries a part again while its service is away; a refusal is one of the whole job. */
  async #persist(kept: Kept, part: () => Promise<Part>): Promise<Part | undefined> {
    for (let tries = 1; kept.job.state === "running"; tries++) {
      try {
        const done = await part();
        note(kept, done);
        return done;
      } catch (error) {
        const { type, message } = plainError(error);
        const trouble = `${type}: ${message}`;
        if (isRefusal(error) || tries >= limits.triesMax) {
          if (kept.job.state === "running") end(kept, { state: "failed", trouble });
          return undefined;
        }
        kept.job = { ...kept.job, trouble };
        await pause(limits.againMs, undefined, { signal: this.#stopping.signal }).catch(() => {});
      }
    }
    return undefined;
  }

  /** Those that have ended first make room. */
  #forget(): void {
    for (const [id, { job }] of this.#kept) {
      if (this.#kept.size <= limits.remembered) return;
      if (job.state !== "running") this.#kept.delete(id);
    }
  }
}

function note(kept: Kept, { sagas, refused }: Part): void {
  for (const { type, sagas: count, ids } of refused) {
    const known = kept.refused.get(String(type)) ?? { sagas: 0, ids: [] };
    const more = Array.isArray(ids) ? ids.map(String) : [];
    kept.refused.set(String(type), {
      sagas: known.sagas + Number(count),
      ids: [...known.ids, ...more].slice(0, limits.named),
    });
  }
  const { trouble: _over, ...job } = kept.job;
  const all = [...kept.refused].map(([type, of]) => ({ type, ...of }));
  const sentOn = job.sentOn + sagas;
  kept.job = { ...job, sentOn, done: sentOn + all.reduce((sum, of) => sum + of.sagas, 0), refused: all };
}

function end(kept: Kept, how: Pick<Job, "state"> & Partial<Pick<Job, "trouble" | "stoppedBy">>): void {
  kept.job = { ...kept.job, ...how, endedAt: new Date().toISOString() };
}
