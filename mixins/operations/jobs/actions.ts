// The actions of `contract.ts`, and the part of the service `ops` that keeps the jobs of its node.
import type { Service } from "moleculer";
import { listedServices, type Context, type Data, type Mixin } from "../../contract/index.ts";
import { askNodes } from "../ask-nodes.ts";
import { limits as asking } from "../asking.ts";
import { operationErrors } from "../errors.ts";
import { countOf, sagaServices } from "../views/sagas.ts";
import type { jobContract } from "./contract.ts";
import { Jobs, limits, type Job, type Part } from "./jobs.ts";

type Ctx<A extends keyof typeof jobContract.actions> = Context<Data<(typeof jobContract.actions)[A]["params"]>>;
type Keeping = Service & { readonly jobs: Jobs };

/** Milliseconds that one part may take: it ends by itself after five seconds. */
const PART_MS = 15_000;

export const jobActions = {
  async startJob(this: Service, ctx: Ctx<"startJob">): Promise<Job> {
    const { operation, note, pastPivot, ...narrowed } = ctx.params;
    const services = sagaServices(ctx as never, narrowed);
    const { total } = await countOf(ctx as never, { state: "stuck", ...narrowed });
    const { user, token } = ctx.meta;
    // Not the request's own context: it is over, and its time with it, while the job goes on.
    const meta = { ...(user && { user }), ...(token !== undefined && { token }) };
    const { broker } = this;
    const options = { meta, timeout: PART_MS, requestID: ctx.requestID ?? undefined };
    const { service: _all, ...filter } = narrowed;
    return (this as Keeping).jobs.start({
      operation,
      by: user?.id ?? "",
      note,
      filter: { ...narrowed, ...(pastPivot !== undefined && { pastPivot }) },
      total,
      services,
      part(service, after) {
        const place = { service, limit: limits.part, ...(after !== undefined && { after }) };
        const past = operation === "compensateSagas" && pastPivot !== undefined ? { pastPivot } : {};
        return broker.call<Part, object>(`ops.${operation}`, { ...filter, ...past, ...place, note }, options as object);
      },
    });
  },

  async jobs(ctx: Ctx<"jobs">): Promise<{ jobs: Job[]; silent: string[] }> {
    const { answers, silent } = await askNodes<{ jobs: Job[] }>(ctx, "ops.jobsHere", {
      nodes: nodesWithJobs(ctx),
      timeoutMs: asking.nodeMs,
    });
    const jobs = answers.flatMap(({ answer }) => answer.jobs);
    return { jobs: jobs.sort((a, b) => (a.startedAt < b.startedAt ? 1 : -1)), silent: [...silent] };
  },

  job: (ctx: Ctx<"job">): Promise<Job> => onItsNode(ctx, "ops.jobHere"),
  stopJob: (ctx: Ctx<"stopJob">): Promise<Job> => onItsNode(ctx, "ops.stopJobHere"),
};

/** A node of another release keeps no jobs. */
const nodesWithJobs = ({ broker }: Pick<Context, "broker">): string[] =>
  listedServices(broker, { onlyAvailable: true })
    .filter(({ metadata }) => metadata?.jobs === true)
    .map(({ nodeID }) => nodeID);

async function onItsNode(ctx: Ctx<"job">, action: string): Promise<Job> {
  const { id } = ctx.params;
  const { answers } = await askNodes<{ job?: Job }>(ctx, action, {
    nodes: nodesWithJobs(ctx),
    params: { id },
    timeoutMs: asking.nodeMs,
  });
  const found = answers.find(({ answer }) => answer.job !== undefined);
  if (!found) throw operationErrors.JOB_NOT_FOUND({ field: "id", id });
  return found.answer.job!;
}

const read = { visibility: "public", permission: "operations:read" } as const;

/** For the service with the operations: each node knows its own jobs. */
export const KeepsJobs = (): Mixin<{}> =>
  ({
    metadata: { jobs: true },
    created(this: Service & { jobs?: Jobs }) {
      this.jobs = new Jobs(this.broker.nodeID);
    },
    async stopped(this: Keeping) {
      await this.jobs.close();
    },
    actions: {
      jobsHere: {
        ...read,
        handler(this: Keeping) {
          return { jobs: this.jobs.list() };
        },
      },
      jobHere: {
        ...read,
        handler(this: Keeping, ctx: Context<{ id: string }>) {
          const job = this.jobs.find(ctx.params.id);
          return job ? { job } : {};
        },
      },
      stopJobHere: {
        ...read,
        permission: "operations:write",
        handler(this: Keeping, ctx: Context<{ id: string }>) {
          const job = this.jobs.stop(ctx.params.id, ctx.meta.user?.id ?? "");
          return job ? { job } : {};
        },
      },
    },
  }) as object as Mixin<{}>;
