// How far those operations are that go on after their answer.
import type { Following, Progress } from "./operation.ts";

interface Build {
  readonly name: string;
  readonly version: number;
  readonly build: number;
  readonly state: string;
  readonly lagEvents: number | null;
  readonly events: number;
  readonly blockedBy?: readonly string[];
}

/** A rebuild is done when its build is live. */
export const rebuilding: Following = {
  action: "ops.projections",
  params: () => ({ limit: 500 }),
  progress({ projections }: { projections: readonly Build[] }, { name }, begun: { build?: number }): Progress {
    const builds = projections.filter(build => build.name === name);
    const build = builds.find(one => one.build === begun.build) ?? builds.at(-1);
    if (!build) return { done: 0, total: 0, isDone: false };
    const { events: done, lagEvents, state, blockedBy = [] } = build;
    const total = lagEvents === null ? 0 : done + lagEvents;
    const trouble = blockedBy.length > 0 && `it cannot become live until ${blockedBy.join(", ")} can be read`;
    return { done, total, isDone: state === "live", ...(trouble && { trouble }) };
  },
};

/** A verification answers by itself until its verdict is there. */
export const verifying: Following = {
  action: "audit.verify",
  params: () => ({}),
  progress: ({ state, records, of }: { state: string; records: number; of: number }): Progress => ({
    done: records,
    total: of,
    isDone: state === "done",
  }),
};

/** A job is followed by its id. */
export const working: Following = {
  action: "ops.job",
  params: (_params, { id }: { id: string }) => ({ id }),
  progress({
    done,
    total,
    state,
    trouble,
  }: {
    done: number;
    total: number;
    state: string;
    trouble?: string;
  }): Progress {
    return { done, total, isDone: state !== "running", ...(trouble !== undefined && { trouble }) };
  },
};
