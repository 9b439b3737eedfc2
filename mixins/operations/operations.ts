// The service `ops`: the operator's means to act, and lists of what there is; the views of one saga, an actor's record, timers and
// so on are in `views/`. Its only data is the log of what was done, and it runs on any node.
import type { ServiceSchema } from "moleculer";
import { defineService, type Context, type ListedService } from "../contract/index.ts";
import { contentBytesMax, newId } from "../kernel/index.ts";
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
  invalid,
  limits,
  listFrom,
  MINUTE_MS,
  oneOfAfterAndCursor,
  SERVICE_MS,
  servicesWith,
  shown,
  text,
  type Answer,
} from "./asking.ts";
import { isTerminal } from "./ask-nodes.ts";
import { contract } from "./contract.ts";
import { EXAMINED_MS, examined } from "./examined.ts";
import { operationErrors } from "./errors.ts";
import { TellsFindings } from "./findings.ts";
import { healthOf } from "./health.ts";
import { jobActions, KeepsJobs } from "./jobs/actions.ts";
import { logOperations } from "./log-levels.ts";
import { pageIn, pageOf, type Entry } from "./pages.ts";
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
    mixins: [TellsFindings(), KeepsJobs()],
    actions: {
      ...views,

      ...jobActions,
      ...logOperations,
      ...webhookOperations,
      nodes(ctx) {
        const known = ctx.broker.registry.getNodeList({ withServices: true }) as Answer[];
        // A terminal that has left is of interest to nobody.
        const nodes = known.filter(node => node["available"] === true || !isTerminal(node));
        const { limit = limits.page, cursor } = ctx.params;
        const { entries, ...next } = pageIn(nodes, { list: "nodes", limit, cursor, key: [by("id")] });
        return {
          nodes: entries.map(({ id, available, local, hostname, cpu, uptime, services }) => ({
            id,
            available,
            local,
            hostname,
            cpu,
            uptime,
            services: ((services ?? []) as ListedService[]).map(({ fullName }) => fullName).sort(),
          })),
          ...next,
        };
      },

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
        return shown(ctx, { type, id, version, state, events });
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
        return { quarantined: entries, ...next };
      },
      async archive(ctx) {
        const { type, olderThanDays, ...page } = ctx.params;
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
        const { service: only, ...params } = ctx.params;
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
      resumeIngress: ctx => askIngress(ctx, "resumeIngress", ctx.params),

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

      async deadLetters(ctx) {
        const { service: only, limit = limits.page, after, cursor } = ctx.params;
        oneOfAfterAndCursor(ctx.params);
        const services = servicesWith(ctx.broker, hasConsumers);
        if (after !== undefined && only === undefined)
          throw operationErrors.AFTER_NEEDS_SERVICE({
            field: "service",
            message: "is required with after: each service counts its own",
          });
        if (only !== undefined && !services.includes(only))
          throw invalid("service", "no service of this name has consumers");
        const first = after?.slice(after.indexOf(":") + 1);
        const { entries, silent, ...next } = await pageOf({
          list: `dead letters${only === undefined ? "" : ` of ${only}`}`,
          limit,
          // Each service bounds its own answer; those of all together are one answer of this one.
          bytesMax: contentBytesMax(ctx.broker),
          cursor,
          services: only === undefined ? services : [only],
          async read(service, limit, seen = first) {
            const params = { limit, ...(seen !== undefined && { after: seen }) };
            const found = await ask<{ deadLetters: Answer[]; searchedTo?: string }>(
              ctx,
              service,
              "deadLetters",
              params,
              { timeout: SERVICE_MS },
            );
            const entries = found.deadLetters.map((letter): Entry => ({ ...letter, service }));
            return { entries, searchedTo: found.searchedTo };
          },
        });
        const deadLetters = entries.map(letter => ({ ...letter, id: `${letter.service}:${String(letter["id"])}` }));
        return { ...shown(ctx, { deadLetters }), silent, ...(after === undefined && next) };
      },
      async retryDeadLetters(ctx) {
        const { service: only, olderThanMinutes, ...narrow } = ctx.params;
        const services = servicesWith(ctx.broker, hasConsumers);
        if (only !== undefined && !services.includes(only))
          throw invalid("service", "no service of this name has consumers");
        const params = {
          ...narrow,
          ...(olderThanMinutes !== undefined && { olderThanMs: Math.round(olderThanMinutes * MINUTE_MS) }),
        };
        const { all: retried, silent } = await gather(
          ctx,
          only === undefined ? services : [only],
          "retryDeadLetters",
          "retried",
          params,
        );
        return { streams: retried.reduce((sum, { streams }) => sum + Number(streams), 0), retried, silent };
      },
      retryDeadLetter: ctx => askLetter(ctx, "retryDeadLetter", hasConsumers),
      async discardDeadLetter(ctx) {
        const { id } = ctx.params;
        const [service = ""] = id.split(":");
        // A service without ingresses has letters of logs alone.
        const isOfLog = !servicesWith(ctx.broker, hasIngresses).includes(service);
        if (isOfLog && servicesWith(ctx.broker, hasConsumers).includes(service))
          throw streamErrors.DEAD_LETTER_OF_LOG({ field: "id", id });
        return askLetter(ctx, "discardDeadLetter", hasIngresses);
      },
    },
  });

/** Asks the service of a dead letter, `<service>:<id>`. */
async function askLetter(
  ctx: Context<{ id: string }>,
  action: string,
  has: Parameters<typeof servicesWith>[1],
): Promise<Answer> {
  const [service = "", ...rest] = ctx.params.id.split(":");
  const known = servicesWith(ctx.broker, has).includes(service);
  if (!known || rest.length === 0)
    throw streamErrors.DEAD_LETTER_NOT_FOUND({ field: "id", message: "ids look like <service>:<id>" });
  return { ...(await ask(ctx, service, action, { id: rest.join(":") })), service, id: ctx.params.id };
}

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
