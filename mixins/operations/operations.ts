// The service `ops`: the operator's means to act, and lists of what there is; the views of one saga, an actor's record, timers and
// so on are in `views/`. Its only data is the log of what was done, and it runs on any node.
import type { ServiceBroker, ServiceSchema } from "moleculer";
import { defineService, listedServices, type Context } from "../contract/index.ts";
import { newId } from "../kernel/index.ts";
import { recordingActs, type Act } from "../audit/mixin.ts";
import { projectionErrors } from "../projection/index.ts";
import { streamErrors } from "../stream/index.ts";
import {
  ask,
  askCircuits,
  askOwner,
  by,
  gather,
  gatherAll,
  hasActor,
  hasConsumers,
  hasIngresses,
  hasProjections,
  hasSagas,
  hostOf,
  limits,
  listFrom,
  servicesWith,
  shown,
  text,
  type Answer,
} from "./asking.ts";
import { configurationOperations } from "./configuration.ts";
import { contract } from "./contract.ts";
import { EXAMINED_MS, examined } from "./examined.ts";
import { operationErrors } from "./errors.ts";
import { TellsFindings } from "./findings.ts";
import { healthOf } from "./health.ts";
import { figureOperations, SamplesFigures } from "./figures/actions.ts";
import { hintOperations, LooksAtTopics } from "./hints/actions.ts";
import { jobActions, KeepsJobs } from "./jobs/actions.ts";
import { letterOperations } from "./letters.ts";
import { logOperations } from "./log-levels.ts";
import { pageIn, pageOf } from "./pages.ts";
import { traceOperations } from "./traces/actions.ts";
import { webhookOperations } from "./webhooks.ts";
import { views } from "./views/index.ts";

const DAY_MS = 86_400_000;
/** Circuits that are not closed come first. */
const isClosed = ({ state }: Answer): string => (state === "closed" ? "1" : "0");

/**
 * The schema of the service `ops`; its routes are in `routes.ts`. `export default Operations();` Each operation that changes
 * something is recorded in its own log, with who asked for it, before it is done and after.
 */
export const Operations = (): ServiceSchema => recordingActs(schema(), "operation", recordedOperations);

const recordedOperations = Object.fromEntries(
  Object.entries(contract.permissions)
    .filter(([, permission]) => permission === "operations:write")
    .map(([action]): [string, Act] => [action, { isAnnounced: true, subject: subjectOf, details: detailsOf }]),
);

/** An operation on one thing is recorded under its id, where a query by subject finds it: `operation.borrowing.42`. */
function subjectOf({ params: { id } }: { params: { id?: unknown } }): string {
  return typeof id === "string" && STREAM.test(id) ? id : newId();
}
const STREAM = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;

/** The params and, of an operation on many, the ones that it was done to. */
function detailsOf(
  params: Readonly<Record<string, unknown>>,
  answer?: { readonly ids?: unknown },
): Readonly<Record<string, unknown>> {
  return Array.isArray(answer?.ids) ? { ...params, ids: answer.ids } : params;
}

const schema = (): ServiceSchema =>
  defineService(contract, {
    mixins: [TellsFindings(), KeepsJobs(), SamplesFigures(), LooksAtTopics()],
    actions: {
      ...views,

      ...jobActions,
      ...logOperations,
      ...webhookOperations,
      ...figureOperations,
      ...configurationOperations,
      ...hintOperations,
      ...traceOperations,

      async circuits(ctx) {
        const { limit = limits.page, cursor } = ctx.params;
        const { circuits, silent } = await askCircuits(ctx);
        const key = [isClosed, by("from"), by("node"), by("action")];
        const { entries, ...next } = pageIn(circuits, { list: "circuits", limit, cursor, key });
        return { circuits: entries, silent: [...silent], ...next };
      },
      health: healthOf,
      doctor: { timeout: EXAMINED_MS, handler: examined },

      retrySaga: ctx => askOwner(ctx, "retrySaga", ctx.params),
      compensateSaga: ctx => askOwner(ctx, "compensateSaga", ctx.params),

      async actor(ctx) {
        const { type, id, version: at } = ctx.params;
        const service = hostOf(ctx.broker, type);
        const { version, state } = await (at === undefined
          ? ask<{ version: number; state: unknown }>(ctx, service, "get", { id, consistent: true })
          : ask<{ version: number; state: unknown }>(ctx, service, "stateAt", { id, version: at }));
        if (version === 0 && at === undefined) throw operationErrors.ACTOR_NOT_FOUND({ field: "id", type, id });
        const from = Math.max(1, version - limits.events + 1);
        const events =
          version === 0
            ? []
            : (await ask<{ events: Answer[] }>(ctx, service, "history", { id, from, limit: version - from + 1 }))
                .events;
        // A node of the release before does not tell.
        const beside = await ask(ctx, service, "whereabouts", { id }, { timeout: limits.nodeMs }).catch(() => ({}));
        return shown(ctx, { type, id, version, state, events, ...beside });
      },

      async quarantined(ctx) {
        const services = servicesWith(ctx.broker, hasActor);
        const { limit = limits.page, cursor } = ctx.params;
        const key = ({ at, id }: Answer): string => `${text(at)} ${text(id)}`;
        const { entries, ...next } = await pageOf({
          list: "quarantined",
          limit,
          cursor,
          services,
          read: async (service, limit, after) => {
            const params = { limit, ...(after !== undefined && { after }) };
            const found = await listFrom(ctx, service, "quarantined", "quarantined", params);
            // A node of the release before answers its first hundred, whatever it is asked.
            return after === undefined ? found : found.filter(entry => key(entry) > after);
          },
          key,
        });
        const quarantined = entries.map(entry => ({ ...entry, type: actorOf(ctx.broker, entry.service) }));
        return { quarantined, ...next };
      },
      async archive(ctx) {
        const { type, olderThanDays, note: _noted, ...page } = ctx.params;
        const service = type === "sagas" ? servicesWith(ctx.broker, hasSagas)[0] : hostOf(ctx.broker, type);
        if (service === undefined) throw operationErrors.ACTOR_TYPE_NOT_FOUND({ field: "type", type });
        return ask(ctx, service, "archive", { ...page, olderThanMs: Math.round(olderThanDays * DAY_MS) });
      },
      async releaseQuarantine(ctx) {
        const { type, id } = ctx.params;
        return ask(ctx, hostOf(ctx.broker, type), "releaseQuarantine", { id });
      },

      async consumers(ctx) {
        const services = servicesWith(ctx.broker, hasConsumers);
        const { limit = limits.page, cursor } = ctx.params;
        const { all, silent } = await gather(ctx, services, "consumers", "consumers");
        const { entries, ...next } = pageIn(all, {
          list: "consumers",
          limit,
          cursor,
          key: [by("service"), by("name")],
        });
        return { consumers: entries, silent, ...next };
      },
      async resetConsumer(ctx) {
        const { service: only, note: _noted, ...params } = ctx.params;
        const all = await gatherAll(ctx, servicesWith(ctx.broker, hasConsumers), "consumers", "consumers");
        const service = ownerIn(all, params.name, only);
        if (service === undefined) throw streamErrors.CONSUMER_NOT_FOUND({ field: "name", consumer: params.name });
        return { ...(await ask(ctx, service, "resetConsumer", params)), service };
      },

      async ingresses(ctx) {
        const { limit = limits.page, cursor } = ctx.params;
        const services = servicesWith(ctx.broker, hasIngresses);
        const { all, silent } = await gather(ctx, services, "ingresses", "ingresses");
        const key = [by("service"), by("name")];
        const { entries, ...next } = pageIn(all, { list: "ingresses", limit, cursor, key });
        return { ingresses: entries, silent, ...next };
      },
      pauseIngress: ctx => askIngress(ctx, "pauseIngress", ctx.params),
      resumeIngress(ctx) {
        const { note: _noted, ...params } = ctx.params;
        return askIngress(ctx, "resumeIngress", params);
      },

      async projections(ctx) {
        const services = servicesWith(ctx.broker, hasProjections);
        const { limit = limits.page, cursor } = ctx.params;
        const { all, silent } = await gather(ctx, services, "projections", "projections");
        const key = [by("service"), by("name"), by("version"), by("build")];
        const { entries, ...next } = pageIn(all, { list: "projections", limit, cursor, key });
        return { projections: entries, silent, ...next };
      },
      async rebuild(ctx) {
        const { name } = ctx.params;
        const [service] = servicesWith(ctx.broker, ({ projections }) => Object.hasOwn(projections ?? {}, name));
        if (!service) throw projectionErrors.PROJECTION_NOT_FOUND({ field: "name", name });
        return { ...(await ask(ctx, service, "rebuildProjection", { name })), service };
      },

      ...letterOperations,
    },
  });

/** Type of the actors that a service hosts. */
const actorOf = (broker: ServiceBroker, service: string): string | undefined =>
  listedServices(broker, { onlyAvailable: true }).find(({ fullName }) => fullName === service)?.metadata?.actor;

async function askIngress(
  ctx: Context,
  action: string,
  { service: only, ...params }: { readonly name: string; readonly service?: string | undefined },
): Promise<Answer> {
  const { name } = params;
  const all = await gatherAll(ctx, servicesWith(ctx.broker, hasIngresses), "ingresses", "ingresses");
  const service = ownerIn(all, name, only);
  if (service === undefined) throw streamErrors.INGRESS_NOT_FOUND({ field: "name", ingress: name });
  return { ...(await ask(ctx, service, action, params)), service };
}

/** The service that has a consumer or an ingress of this name; `only` names one of several. */
function ownerIn(
  entries: readonly { readonly service: string; readonly [field: string]: unknown }[],
  name: string,
  only: string | undefined,
): string | undefined {
  const owners = entries
    .filter(entry => entry["name"] === name && (only === undefined || entry.service === only))
    .map(({ service }) => service);
  if (owners.length > 1)
    throw operationErrors.CONSUMER_AMBIGUOUS({
      field: "service",
      message: `is required: ${owners.join(" and ")} have a consumer of this name`,
    });
  return owners[0];
}
