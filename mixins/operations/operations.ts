// The operator's view of all services: finds by the registry's metadata the services that have sagas, actors,
// projections, consumers and dead letters, and calls them. Its only data is the log of what was done, and it runs on any node. The operator
// travels in `meta`, so that each service checks the role again.
import type { Context as MoleculerContext, ServiceBroker, ServiceSchema } from "moleculer";
import {
  callErrors,
  defineService,
  listedServices,
  withoutSecrets,
  type Context,
  type ListedService,
} from "../contract/index.ts";
import { isRefusal, type Refusal } from "../kernel/index.ts";
import { recordingActs, type Act } from "../audit/mixin.ts";
import { projectionErrors } from "../projection/index.ts";
import { sagaErrors } from "../saga/index.ts";
import { streamErrors } from "../stream/index.ts";
import { contract } from "./contract.ts";
import { operationErrors } from "./errors.ts";
import { logOperations } from "./log-levels.ts";
import { pageIn, pageOf } from "./pages.ts";

type Answer = Record<string, unknown>;
type Metadata = NonNullable<ListedService["metadata"]>;

const limits = {
  /** Default number of entries in a list. */
  page: 100,
  /** Events that `actor` shows. */
  events: 100,
  /** Milliseconds that a node has to tell its circuits. */
  nodeMs: 1_000,
} as const;

/** A service that is known by its metadata only has actions that no contract lists. */
const ask = <R = Answer>(ctx: Context, service: string, action: string, params: object = {}): Promise<R> =>
  (ctx as unknown as MoleculerContext).call<R, object>(`${service}.${action}`, params);

/** Full names (`v2.loans`) of the available services with such metadata, each once, however many nodes run it. */
function servicesWith(broker: ServiceBroker, test: (metadata: Metadata) => boolean): string[] {
  const services = listedServices(broker, { onlyAvailable: true, skipInternal: true });
  return [...new Set(services.filter(({ metadata }) => test(metadata ?? {})).map(({ fullName }) => fullName))].sort();
}

/** Asks each service for its list, and marks every entry with its service. */
async function gather(ctx: Context, services: readonly string[], action: string, key: string, params: object = {}) {
  const lists = services.map(async service => {
    const answer = await ask<Record<string, Answer[]>>(ctx, service, action, params);
    return (answer[key] ?? []).map((entry): Answer & { service: string } => ({ ...entry, service }));
  });
  return (await Promise.all(lists)).flat();
}

/** Each node knows its own circuits. One that does not answer may be the one that a circuit is open for. */
async function askNodes(ctx: Context): Promise<{ circuits: Answer[]; silent: string[] }> {
  const call = (ctx as unknown as MoleculerContext).call.bind(ctx);
  const nodes = ctx.broker.registry.getNodeList({ onlyAvailable: true }) as { id: string }[];
  const silent: string[] = [];
  const lists = nodes.map(async ({ id }) => {
    const options = { nodeID: id, timeout: limits.nodeMs };
    try {
      const { circuits } = await call<{ circuits: Answer[] }, object>("$circuits.list", {}, options);
      return circuits.map((circuit): Answer => ({ from: id, ...circuit }));
    } catch {
      silent.push(id);
      return [];
    }
  });
  return { circuits: (await Promise.all(lists)).flat(), silent: silent.sort() };
}

/** The value without the fields that any contract marks as secret. */
function shown<T>(broker: ServiceBroker, value: T): T {
  const services = listedServices(broker, { skipInternal: true });
  const names = new Set(services.flatMap(({ metadata }) => metadata?.secrets ?? []));
  return withoutSecrets(value, names) as T;
}

const hasSagas = ({ sagas }: Metadata): boolean => sagas !== undefined;
const hasConsumers = ({ consumers }: Metadata): boolean => consumers !== undefined;

/** Asks the services with sagas one after another until one knows the id. */
async function askOwner(ctx: Context, action: string, params: { id: string }): Promise<Answer> {
  for (const service of servicesWith(ctx.broker, hasSagas))
    try {
      return shown(ctx.broker, { ...(await ask(ctx, service, action, params)), service });
    } catch (error) {
      // Moleculer's own 404 (the service has just gone) is not an answer.
      if (!isRefusal(error) || !error.type.endsWith("_NOT_FOUND")) throw error;
    }
  throw sagaErrors.SAGA_NOT_FOUND({ id: params.id });
}

function hostOf(broker: ServiceBroker, type: string): string {
  const [service] = servicesWith(broker, metadata => metadata.actor === type);
  if (!service) throw operationErrors.ACTOR_TYPE_NOT_FOUND({ field: "type", type });
  return service;
}

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const invalid = (field: string, message: string): Refusal => callErrors.VALIDATION_ERROR({ field, message });

/** Refuses (422, field `after`) a request that names its page in two ways at once. */
function oneOfAfterAndCursor({ after, cursor }: { after?: string; cursor?: string }): void {
  if (after !== undefined && cursor !== undefined) throw invalid("after", "is given beside cursor: send one");
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const text = (value: unknown): string => (typeof value === "string" ? value : "");
/** A part of a key: the text or the number in a field. */
const by =
  (field: string) =>
  ({ [field]: value }: Answer): string =>
    typeof value === "number" ? `${value}` : text(value);
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
    .map(([action]): [string, Act] => [action, { isAnnounced: true, details: params => params }]),
);

const schema = (): ServiceSchema =>
  defineService(contract, {
    actions: {
      ...logOperations,
      nodes(ctx) {
        const nodes = ctx.broker.registry.getNodeList({ withServices: true }) as Answer[];
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
        const { circuits, silent } = await askNodes(ctx);
        const key = [isClosed, by("from"), by("node"), by("action")];
        const { entries, ...next } = pageIn(circuits, { list: "circuits", limit, cursor, key });
        return { circuits: entries, silent, ...next };
      },

      async sagas(ctx) {
        const { state = "open", limit = limits.page, after, cursor, ...narrow } = ctx.params;
        oneOfAfterAndCursor(ctx.params);
        const name = after?.slice(0, after.indexOf("."));
        const services = servicesWith(ctx.broker, ({ sagas }) =>
          name === undefined ? sagas !== undefined : Object.hasOwn(sagas ?? {}, name),
        );
        if (services.length === 0 && after !== undefined) throw invalid("after", "is no saga");
        const startedAt = (saga: Answer) => text(saga["startedAt"]);
        const { entries, ...next } = await pageOf({
          list: `${state} sagas`,
          limit,
          cursor,
          services,
          read: (service, limit, seen = after) =>
            gather(ctx, [service], "sagas", "sagas", {
              ...narrow,
              state,
              limit,
              ...(seen !== undefined && { after: seen }),
            }),
          sort: (a, b) => compare(startedAt(a), startedAt(b)),
        });
        // The answer names the state: an operator who asked for none sees that sagas which have ended are left out.
        return { state, sagas: entries, ...(after === undefined && next) };
      },
      saga: ctx => askOwner(ctx, "saga", ctx.params),
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
        return shown(ctx.broker, { type, id, version, state, events });
      },

      async quarantined(ctx) {
        const services = servicesWith(ctx.broker, ({ actor }) => actor !== undefined);
        const { limit = limits.page, cursor } = ctx.params;
        const key = ({ at, id }: Answer): string => `${text(at)} ${text(id)}`;
        const { entries, ...next } = await pageOf({
          list: "quarantined",
          limit,
          cursor,
          services,
          read: async (service, limit, after) => {
            const params = { limit, ...(after !== undefined && { after }) };
            const found = await gather(ctx, [service], "quarantined", "quarantined", params);
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
        const all = await gather(ctx, services, "consumers", "consumers");
        const { entries, ...next } = pageIn(all, {
          list: "consumers",
          limit,
          cursor,
          key: [by("service"), by("name")],
        });
        return { consumers: entries, ...next };
      },
      async resetConsumer(ctx) {
        const { service: only, ...params } = ctx.params;
        const all = await gather(ctx, servicesWith(ctx.broker, hasConsumers), "consumers", "consumers");
        const owners = all
          .filter(({ name, service }) => name === params.name && (only === undefined || service === only))
          .map(({ service }) => service);
        const [service] = owners;
        if (service === undefined) throw streamErrors.CONSUMER_NOT_FOUND({ field: "name", consumer: params.name });
        if (owners.length > 1)
          throw operationErrors.CONSUMER_AMBIGUOUS({
            field: "service",
            message: `is required: ${owners.join(" and ")} have a consumer of this name`,
          });
        return { ...(await ask(ctx, service, "resetConsumer", params)), service };
      },

      async projections(ctx) {
        const services = servicesWith(ctx.broker, ({ projections }) => projections !== undefined);
        const { limit = limits.page, cursor } = ctx.params;
        const all = await gather(ctx, services, "projections", "projections");
        const key = [by("service"), by("name"), by("version"), by("build")];
        const { entries, ...next } = pageIn(all, { list: "projections", limit, cursor, key });
        return { projections: entries, ...next };
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
        const services = servicesWith(ctx.broker, ({ consumers }) => consumers !== undefined);
        if (after !== undefined && only === undefined)
          throw operationErrors.AFTER_NEEDS_SERVICE({
            field: "service",
            message: "is required with after: each service counts its own",
          });
        if (only !== undefined && !services.includes(only))
          throw invalid("service", "no service of this name has consumers");
        const first = after?.slice(after.indexOf(":") + 1);
        const { entries, ...next } = await pageOf({
          list: `dead letters${only === undefined ? "" : ` of ${only}`}`,
          limit,
          cursor,
          services: only === undefined ? services : [only],
          read: (service, limit, seen = first) =>
            gather(ctx, [service], "deadLetters", "deadLetters", { limit, ...(seen !== undefined && { after: seen }) }),
        });
        const deadLetters = entries.map(letter => ({ ...letter, id: `${letter.service}:${String(letter["id"])}` }));
        return { ...shown(ctx.broker, { deadLetters }), ...(after === undefined && next) };
      },
      async retryDeadLetters(ctx) {
        const { service: only, olderThanMinutes, ...narrow } = ctx.params;
        const services = servicesWith(ctx.broker, ({ consumers }) => consumers !== undefined);
        if (only !== undefined && !services.includes(only))
          throw invalid("service", "no service of this name has consumers");
        const params = {
          ...narrow,
          ...(olderThanMinutes !== undefined && { olderThanMs: Math.round(olderThanMinutes * MINUTE_MS) }),
        };
        const retried = await gather(
          ctx,
          only === undefined ? services : [only],
          "retryDeadLetters",
          "retried",
          params,
        );
        return { streams: retried.reduce((sum, { streams }) => sum + Number(streams), 0), retried };
      },
      async retryDeadLetter(ctx) {
        const [service = "", ...rest] = ctx.params.id.split(":");
        const known = servicesWith(ctx.broker, ({ consumers }) => consumers !== undefined).includes(service);
        if (!known || rest.length === 0)
          throw streamErrors.DEAD_LETTER_NOT_FOUND({ field: "id", message: "ids look like <service>:<id>" });
        return { ...(await ask(ctx, service, "retryDeadLetter", { id: rest.join(":") })), service, id: ctx.params.id };
      },
    },
  });
