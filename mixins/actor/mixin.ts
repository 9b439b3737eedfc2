// The mixin of a service that hosts an actor: commands as actions, the record of its actors, timers and the log.
import type { Context, Service, ServiceBroker, ServiceSchema } from "moleculer";
import Type, { type TProperties } from "typebox";
import {
  CALL_CHAIN,
  COMMAND_ID,
  contentBytesMax,
  elapsedMs,
  isClientCommandId,
  nodeEnvironment,
  REPEATED,
  REPLAYED,
} from "../kernel/index.ts";
import {
  ActorId,
  paramsOf,
  personBehind,
  returnsOf,
  callersOf,
  permissionOf,
  type Meta,
  type AnyContract,
  type Mixin,
  errorsOf,
  shapeOf,
  versionOf,
} from "../contract/index.ts";
import { keepsTables } from "../database/siblings.ts";
import { PlaceChecks } from "../event-store/index.ts";
import { eventStoreOf } from "../event-store/siblings.ts";
import type { LogPage, ReadLog } from "../stream/index.ts";
import {
  streamTables,
  publishLog,
  Publishing,
  releasedByAll,
  shareWork,
  startNotifier,
  Subscribers,
  type Publisher,
  type SharedWork,
} from "../stream/siblings.ts";
import { ARCHIVE_PARAMS, archiveFinished, type StreamVersion } from "./archive.ts";
import type { Actor } from "./define-actor.ts";
import { ofAnyCommand } from "./errors.ts";
import { ActorHost, type ExecuteOptions, type HostOptions } from "./host.ts";
import { ACTOR_LIMITS } from "./limits.ts";
import { fittingOf } from "./log-page.ts";
import { readLog, readPart, toLogEvent } from "./log.ts";
import { actorMetersOf, measureActors } from "./measure.ts";
import { operations } from "./operations.ts";
import { rendezvous } from "./placement.ts";
import { hostAlone } from "./sole-host.ts";
import { TimerRunner } from "./timers.ts";

export type { ActorHost, HostOptions } from "./host.ts";
export type { TimerSummary } from "./operations.ts";
export type { WouldDecide } from "./would-decide.ts";

type Ctx<P = any> = Context<P, Meta>;
/** A service that hosts actors: `this.actors` is there from `started` on. */
export type HostingService = Service & {
  actors: ActorHost;
  places: PlaceChecks;
  timers?: TimerRunner;
  timerShare?: SharedWork;
  stopRelay?: () => void;
  publisher?: Publisher | undefined;
  subscribers: Subscribers;
  stopMeasuring?: () => void;
  handOver?: () => void;
  endHosting?: () => void;
};

const HISTORY_PAGE = 1_000;
/** Streams in quarantine that are listed unless a call says otherwise, the oldest first: each needs a person. */
const QUARANTINE_PAGE = 100;
/** `after`: `at` and `id` of the last one of the page before, with a blank between. */
const QUARANTINE_PARAMS = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000 })),
  after: Type.Optional(
    Type.String({ pattern: "^\\d{4}-\\d\\d-\\d\\dT[\\d:.]{8,12}Z [A-Za-z0-9][A-Za-z0-9_.-]{0,63}$" }),
  ),
};
/** Streams that one call of `archive` looks at unless it says otherwise. */
const ARCHIVE_PAGE = 1_000;
const idOnly = { id: ActorId };
/** The record of an actor is for other services and for administrators. */
const internal = { visibility: "public", placement: "id", repeatable: true, permission: "operations:read" } as const;

const chainOf = (ctx: Ctx): string | undefined =>
  (ctx as Ctx & { headers?: Record<string, string> }).headers?.[CALL_CHAIN];

/** Deadline, command id, chain and cause of a command, from the call that carries it. */
export function executeOptionsOf(ctx: Ctx): ExecuteOptions {
  const { broker, caller, options, headers, meta, requestID, startHrTime } = ctx as Ctx & {
    headers?: Record<string, string>;
    startHrTime?: [number, number];
  };
  // The time that the call has waited in the bulkhead counts as spent.
  const spentMs = startHrTime ? elapsedMs(startHrTime) : 0;
  const commandId = headers?.[COMMAND_ID];
  const repeated = headers?.[REPEATED] !== undefined;
  // A call that a node has sent again is no repetition of the client's.
  const isClients = commandId !== undefined && !repeated && isClientCommandId(commandId);
  return {
    commandId,
    repeated,
    ...(isClients && { onReplay: () => (meta[REPLAYED] = commandId) }),
    chain: chainOf(ctx),
    ...(options.timeout && { deadline: performance.now() + options.timeout - spentMs }),
    metadata: {
      ...personBehind(meta),
      ...(caller && { caller }),
      node: broker.nodeID,
      ...(requestID && { requestId: requestID }),
    },
  };
}

export interface ActorsOptions extends Partial<HostOptions> {
  /**
   * The service is a version that is tried beside the service without one (`versionCanary`). It takes commands and reads of its share
   * of the actors, and leaves their timers and the log to the other, so that consumers see one log. Default false.
   */
  readonly isCanary?: boolean;
}

/**
 * Hosts an actor: one action a command (`loans.make`, which answers `{ id, version }` and the fields of `reply`), and
 * `get`, `history`, `stateAt`, `whatIf`, `wouldDecide`, `abandon`, `quarantined`, `releaseQuarantine`, `timers`, `shards`. `this.actors` is the host, for the service's own actions.
 */
export function Actors<K extends AnyContract>(
  actor: Actor<K>,
  { isCanary = false, ...options }: ActorsOptions = {},
): Mixin<{ readonly actors: ActorHost<K> }> {
  const { contract } = actor;
  const ofEvents = (of: (type: string) => unknown): object =>
    Object.fromEntries(Object.keys(contract.events).map(type => [type, of(type)]));
  const commands = Object.entries(contract.commands as Record<string, TProperties>).map(([command, params]) => [
    command,
    {
      visibility: "public",
      placement: "id",
      repeatable: true,
      params: paramsOf({ ...idOnly, ...params }),
      ...permissionOf(contract, command),
      ...callersOf(contract, command),
      ...returnsOf(contract, command),
      ...errorsOf(contract, command, ofAnyCommand),
      handler(this: HostingService, ctx: Ctx) {
        const { id, ...params } = ctx.params;
        return this.actors.execute(id, command, params, executeOptionsOf(ctx));
      },
    },
  ]);

  return {
    mixins: [Publishing],
    metadata: {
      actor: contract.actor,
      // With these a service is known as the owner of a log.
      ...(!isCanary && {
        events: ofEvents(type => versionOf(contract, type)),
        eventSchemas: ofEvents(type => shapeOf(contract, type)),
      }),
    },
    actions: {
      ...operations,
      ...Object.fromEntries(commands),
      get: {
        ...internal,
        ...callersOf(contract, "get"),
        params: paramsOf({ ...idOnly, consistent: Type.Optional(Type.Boolean()) }),
        handler(this: HostingService, ctx: Ctx) {
          return this.actors.get(ctx.params.id, { ...ctx.params, chain: chainOf(ctx) });
        },
      },
      history: {
        ...internal,
        ...callersOf(contract, "history"),
        params: paramsOf({
          ...idOnly,
          from: Type.Optional(Type.Integer({ minimum: 1 })),
          limit: Type.Optional(Type.Integer({ minimum: 1, maximum: HISTORY_PAGE })),
        }),
        async handler(this: HostingService, ctx: Ctx) {
          const { id, from = 1, limit = HISTORY_PAGE } = ctx.params;
          return { id, events: await this.actors.history(id, from, limit) };
        },
      },
      stateAt: {
        ...internal,
        ...callersOf(contract, "stateAt"),
        params: paramsOf({ ...idOnly, version: Type.Integer({ minimum: 0 }) }),
        handler(this: HostingService, ctx: Ctx) {
          return this.actors.stateAt(ctx.params.id, ctx.params.version);
        },
      },
      whatIf: {
        ...internal,
        params: paramsOf(idOnly),
        handler(this: HostingService, ctx: Ctx) {
          return this.actors.whatIf(ctx.params.id);
        },
      },
      abandon: {
        ...internal,
        ...callersOf(contract, "abandon"),
        permission: "operations:write",
        params: paramsOf({
          ...idOnly,
          commandId: Type.String({ minLength: 1, maxLength: ACTOR_LIMITS.commandIdLength }),
        }),
        handler(this: HostingService, ctx: Ctx) {
          return this.actors.abandon(ctx.params.id, ctx.params.commandId, chainOf(ctx));
        },
      },
      quarantined: {
        visibility: "public",
        permission: "operations:read",
        params: paramsOf(QUARANTINE_PARAMS),
        async handler(this: HostingService, ctx: Ctx<{ limit?: number; after?: string }>) {
          const { limit = QUARANTINE_PAGE, after } = ctx.params;
          const [at = "", id = ""] = after?.split(" ") ?? [];
          const place = after === undefined ? undefined : { at, stream: this.actors.streamOf(id) };
          const streams = await this.actors.store.quarantined(limit, place);
          const prefix = this.actors.streamOf("").length;
          return { quarantined: streams.map(({ stream, reason, at }) => ({ id: stream.slice(prefix), reason, at })) };
        },
      },
      releaseQuarantine: {
        ...internal,
        permission: "operations:write",
        params: paramsOf(idOnly),
        async handler(this: HostingService, ctx: Ctx) {
          await this.actors.store.release(this.actors.streamOf(ctx.params.id));
          return { id: ctx.params.id, released: true };
        },
      },
      archive: {
        visibility: "public",
        permission: "operations:write",
        params: paramsOf(ARCHIVE_PARAMS),
        async handler(this: HostingService, ctx: Ctx) {
          const { olderThanMs, limit = ARCHIVE_PAGE, after, gone = [], dryRun = false } = ctx.params;
          if (gone.length > 0 && !dryRun) await this.subscribers.forget(gone);
          const release = async (streams: readonly StreamVersion[]) =>
            releasedByAll(this.broker, { source: this.fullName, streams }, await this.subscribers.all());
          return archiveFinished(
            actor,
            this.actors.store,
            { olderThanMs, limit, after, dryRun },
            ACTOR_LIMITS.foldChunk,
            release,
          );
        },
      },
      readLog: {
        visibility: "public",
        permission: "operations:read",
        // Any service may have consumers.
        callers: ["*"],
        ...callersOf(contract, "readLog"),
        async handler(this: HostingService, ctx: Ctx<ReadLog>): Promise<LogPage> {
          const { cursor, mark, limit, stream } = ctx.params;
          const { store } = this.actors;
          const bytesMax = contentBytesMax(this.broker);
          if (!stream) {
            const page = await readLog(actor, store, this.places, cursor, limit, mark, bytesMax);
            // The seal's secret is for readers of the cluster; no person needs it.
            const seal = ctx.meta.user === undefined ? this.publisher?.seal : undefined;
            return { ...page, origin: this.publisher?.origin, ...(seal !== undefined && { seal }) };
          }
          const found = await store.readStream(this.actors.streamOf(stream.id), stream.from, limit);
          const events = found.slice(0, fittingOf(found, bytesMax));
          return { events: events.map(event => toLogEvent(actor, event)), cursor };
        },
      },
    },
    created(this: HostingService) {
      keepsTables(this, () => eventStoreOf(this));
      // Leases, and how far the log is published: needed as soon as a second node joins.
      keepsTables(this, () => streamTables(this));
    },
    async started(this: HostingService) {
      this.endHosting = hostAlone(this);
      const store = await eventStoreOf(this);
      this.places = new PlaceChecks(store);
      this.subscribers = await Subscribers.open(this);
      const prepareMs = nodeEnvironment.of(this.broker).REQUEST_TIMEOUT_MS;
      this.actors = new ActorHost(actor, store, {
        logger: this.logger,
        broker: this.broker,
        bytesMax: () => contentBytesMax(this.broker),
        meters: actorMetersOf(this.broker, this.fullName, contract),
        ...options,
        limits: { prepareMs, ...options.limits },
      });
      this.handOver = () => {
        const owners = nodesOf(this.broker, `${this.fullName}.get`);
        if (owners.length > 1) this.actors.handOver(id => rendezvous(id, owners, node => node) === this.broker.nodeID);
      };
      this.broker.localBus.on("$services.changed", this.handOver);
      this.stopRelay = startNotifier({
        broker: this.broker,
        service: isCanary ? this.name : this.fullName,
        store,
        decode: event => toLogEvent(actor, event),
      });
      if (isCanary) return;
      this.timers = new TimerRunner(
        store,
        (id, command, params, commandId) =>
          this.broker.call(`${this.fullName}.${command}`, { id, ...params }, {
            headers: { [COMMAND_ID]: commandId },
            timeout: nodeEnvironment.of(this.broker).REQUEST_TIMEOUT_MS,
          } as object),
        { ...ACTOR_LIMITS, ...options.limits },
        error => this.logger.warn(`timers of ${this.fullName}: ${error.message}`),
      );
      const { timers } = this;
      this.timerShare = await shareWork(this, "timers", (...partitions) => timers.serve(...partitions));
      this.stopMeasuring = measureActors(this.broker, this.fullName, this.actors, timers);
      this.publisher = await publishLog(this, {
        read: (cursor, limit, mark) => readLog(actor, store, this.places, cursor, limit, mark),
        readPart: (...asked) => readPart(actor, store, this.places, ...asked),
        head: cursor => store.head(cursor),
        onCommit: listener => store.onCommit(listener),
      });
    },
    async stopped(this: HostingService) {
      this.endHosting?.();
      // Undefined in a service that did not start.
      if (this.handOver) this.broker.localBus.off("$services.changed", this.handOver);
      this.subscribers?.stop();
      await this.timerShare?.end();
      await this.timers?.stop();
      this.stopRelay?.();
      await this.publisher?.stop();
      this.stopMeasuring?.();
      await this.actors?.drain();
    },
  } as Partial<ServiceSchema> as Mixin<{ readonly actors: ActorHost<K> }>;
}

/**
 * Only records: `this.actors` executes the commands of the service's own code, and other services read the events. Its one
 * action is `readLog`, so that it fits beside the actions of any service; operations do not list its actors.
 */
export function Recording(actor: Actor): Mixin<{ readonly actors: ActorHost }> {
  const { actions, metadata, ...rest } = Actors(actor) as ServiceSchema;
  const { events, eventSchemas } = metadata as { events: object; eventSchemas: object };
  return {
    ...rest,
    metadata: { events, eventSchemas, records: actor.contract.actor },
    actions: { readLog: actions!["readLog"] },
  } as unknown as Mixin<{
    readonly actors: ActorHost;
  }>;
}

/** Nodes that answer an action, by this node's view: those among which the placement strategy chooses. */
function nodesOf(broker: ServiceBroker, action: string): string[] {
  const endpoints = broker.registry.actions.get(action)?.endpoints ?? [];
  return endpoints.filter(endpoint => endpoint.isAvailable).map(({ id }) => id);
}
