// Our contenders of `bench:peers`, one at a time: started by peers.ts.
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Context, ServiceBroker } from "moleculer";
import ApiGateway from "moleculer-web";
import Type from "typebox";
import { brokerOptions } from "@valence/runtime/broker";
import { defineActor } from "@valence/runtime/actor";
import { Actors } from "@valence/runtime/actor/mixin";
import { defineContract, defineService } from "@valence/runtime/contract";
import { COMMAND_ID, newId, readEnvironment } from "@valence/runtime/kernel";
import { defineSaga } from "@valence/runtime/saga";
import { Sagas } from "@valence/runtime/saga/mixin";
import { query } from "@valence/runtime/testing/servers";
import { measure, task, tell, type Effort } from "./contender.ts";
import { ACTORS, add, countersBroker } from "./counters.ts";
import { closedLoop, type Load } from "./harness.ts";

const LAST = "third";

export type OurTask =
  | ({ readonly kind: "commands"; readonly url: string; readonly actors: number } & Effort)
  | { readonly kind: "http"; readonly url: string }
  | ({ readonly kind: "process"; readonly url: string; readonly steps: "plain" | "commands" } & Effort);

const jobs = defineContract({
  service: "jobs",
  actor: "job",
  state: {},
  commands: { request: { n: Type.Integer() } },
  events: { "job.requested": { n: Type.Integer() } },
});
/** A plain local action; a step of a peer's workflow calls the same. */
const work = defineContract({
  service: "work",
  actions: { increment: { params: { n: Type.Integer() }, returns: Type.Object({ n: Type.Integer() }) } },
});
declare global {
  interface Contracts {
    jobs: typeof jobs;
    work: typeof work;
  }
}
const Job = defineActor(jobs)({
  initial: () => ({}),
  begins: ["request"],
  decide: { request: (_state, { n }) => [jobs.event("job.requested", { n })] },
  evolve: { "job.requested": state => state },
});

const otherwise = ["work.increment", () => ({ n: 0 })] as ["work.increment", () => { n: number }];
const Plain = defineSaga("plain", { startedBy: "job.requested", otherwise })
  .step("first", "work.increment", ({ event }) => ({ n: event.data.n }))
  .step("second", "work.increment", ({ done }) => ({ n: done.first.n }))
  .step(LAST, "work.increment", ({ done }) => ({ n: done.second.n }));
/** Each command goes to another actor. */
const Commands = defineSaga("commands", { startedBy: "job.requested", otherwise })
  .step("first", "counters.add", ({ event }) => ({ id: `c${event.data.n % ACTORS}`, by: 1 }))
  .step("second", "counters.add", ({ event }) => ({ id: `c${(event.data.n * 7) % ACTORS}`, by: 1 }))
  .step(LAST, "counters.add", ({ event }) => ({ id: `c${(event.data.n * 11) % ACTORS}`, by: 1 }));

/** Callers that wait for their process, by the id of the job. */
const waiting = new Map<string, () => void>();
const LAST_STEP = new RegExp(`^saga:\\w+\\.([\\w-]+)/${LAST}/`);
/** Sees the answer to each last step. */
const lastStep = {
  name: "LastStep",
  localAction: (next: (ctx: Context) => Promise<unknown>) => async (ctx: Context & { headers?: object }) => {
    const answer = await next(ctx);
    const id = LAST_STEP.exec((ctx.headers as Record<string, string> | undefined)?.[COMMAND_ID] ?? "")?.[1];
    if (id !== undefined) waiting.get(id)?.();
    return answer;
  },
};

const it = task() as OurTask;
const env = { DATABASE_URL: it.url };
const { middlewares = [] } = brokerOptions(readEnvironment(env));
const broker = countersBroker(env, it.kind === "process" ? { middlewares: [...middlewares, lastStep] } : {});
switch (it.kind) {
  case "commands": {
    await broker.start();
    await measure(it, n => add(broker, `c${n % it.actors}`));
    break;
  }
  case "http":
    tell({ ready: await serve(broker) });
    break;
  case "process":
    await processes(broker, it);
}

/** A route and nothing more, comparable to a peer's own HTTP interface. */
async function serve(broker: ServiceBroker): Promise<number> {
  type Request = IncomingMessage & { $ctx: Context; $params: { params: { id: string } }; body: { by: number } };
  const gateway = broker.createService({
    name: "api",
    mixins: [ApiGateway],
    settings: {
      port: 0,
      ip: "127.0.0.1",
      logRequest: null,
      logRequestParams: null,
      logResponse: null,
      routes: [
        {
          path: "/",
          mappingPolicy: "restrict",
          mergeParams: false,
          bodyParsers: { json: true },
          aliases: {
            "POST /counters/:id/add"(
              { $ctx, $params, body }: Request,
              res: ServerResponse,
              next: (e: unknown) => void,
            ) {
              $ctx.call("counters.add", { id: $params.params.id, by: body.by }).then(answer => {
                res.setHeader("Content-Type", "application/json");
                res.end(JSON.stringify(answer));
              }, next);
            },
          },
        },
      ],
    },
  });
  await broker.start();
  return ((gateway as unknown as { server: Server }).server.address() as AddressInfo).port;
}

/**
 * From the command that starts a process to its end. A caller continues when the last step has answered; the result
 * counts rows of completed processes, which the last append of each journal has written.
 */
async function processes(
  broker: ServiceBroker,
  { url, steps, ...effort }: OurTask & { kind: "process" },
): Promise<void> {
  broker.createService(defineService(jobs, { mixins: [Actors(Job)] }));
  broker.createService(defineService(work, { actions: { increment: ({ params: { n } }) => ({ n: n + 1 }) } }));
  broker.createService({ name: "processes", mixins: [Sagas(steps === "plain" ? Plain : Commands)] });
  await broker.start();

  const call = async (n: number): Promise<void> => {
    const id = newId();
    const ended = new Promise<void>(resolve => waiting.set(id, resolve));
    await broker.call("jobs.request", { id, n });
    await ended;
    waiting.delete(id);
  };
  const completed = async (): Promise<number> => {
    const [row] = await query<{ n: number }>(
      url,
      "select count(*)::integer as n from processes.sagas where state = 'completed'",
    );
    return row!.n;
  };
  await measure(effort, call, async (seconds): Promise<Load> => {
    const before = await completed();
    const began = performance.now();
    const load = await closedLoop(effort.callers, seconds, call, 1);
    const elapsedS = (performance.now() - began) / 1_000;
    return { ...load, perSecond: ((await completed()) - before) / elapsedS };
  });
}
