// The operations on the actors of a service, for people, beside those of their record: timers, the store's databases, the lag of
// the relay, the events of a trace, and what a command would decide.
import type { Context, Service } from "moleculer";
import Type from "typebox";
import { contentBytesMax, rfc3339, systemClock } from "../kernel/index.ts";
import { ActorId, callErrors, paramsOf, type Meta } from "../contract/index.ts";
import { type EventStore, type ListedTimer, type StoreSize } from "../event-store/index.ts";
import { eventStoreOf, streamsLike } from "../event-store/siblings.ts";
import type { LogEvent } from "../stream/index.ts";
import { partitionOf, type RelayStatus } from "../stream/siblings.ts";
import { actorErrors } from "./errors.ts";
import { fittingOf } from "./log-page.ts";
import { toLogEvent } from "./log.ts";
import type { HostingService } from "./mixin.ts";
import { wouldDecide, type Supposed, type WouldDecide } from "./would-decide.ts";

type Ctx<P> = Context<P, Meta>;
const PAGE = 100;
const PAGE_MAX = 1_000;
const operation = { visibility: "public", permission: "operations:read" } as const;
const limit = Type.Optional(Type.Integer({ minimum: 1, maximum: PAGE_MAX }));

/** A timer as operators list it. */
export interface TimerSummary extends Omit<ListedTimer, "stream" | "params" | "cause"> {
  /** The actor that gets the command. */
  readonly actor: string;
  readonly params: unknown;
  /** Milliseconds since it should have fired; 0 for one that is yet to come. */
  readonly lateMs: number;
  /** The span of the command that set it, as a `traceparent`. */
  readonly cause?: string;
  /** The node that is to fire it; absent while none is known. */
  readonly node?: string;
}

/** Timers among which those of one actor are looked for: no index has them by actor. */
const TIMERS_SEARCHED = 1_000;

export interface Whereabouts {
  /** The node that it lives on, or would. */
  readonly owner: string;
  /** Whether its events are in the cold part. */
  readonly isArchived: boolean;
  readonly timers: readonly TimerSummary[];
  /** There are more timers in the service than were searched. */
  readonly isPartial: boolean;
}

/** The search for a trace in the newest events of a log. */
export const TRACED = {
  /** The id of a trace or of a request, as the metadata of events has it. */
  trace: Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9_-]{7,63}$" }),
  newest: Type.Integer({ minimum: 1, maximum: 100_000 }),
  limit: Type.Integer({ minimum: 1, maximum: 500 }),
};
export interface Traced {
  readonly trace: string;
  readonly newest: number;
  readonly limit: number;
}

/** The search for actors and sagas by the beginning of their ids. */
export const LIKE = {
  prefix: Type.String({ minLength: 1, maxLength: 128, pattern: "^[A-Za-z0-9][A-Za-z0-9_.-]*$" }),
  limit: Type.Integer({ minimum: 1, maximum: 100 }),
};
export interface Like {
  readonly prefix: string;
  readonly limit: number;
}
export interface ActorLike {
  readonly id: string;
  readonly version: number;
  /** Whether its events are in the cold part. */
  readonly isArchived: boolean;
}

/** The databases of the event store of a service, for services with actors and with sagas. */
export const storeSizes = {
  ...operation,
  params: paramsOf({}),
  async handler(this: Service): Promise<{ shards: readonly StoreSize[] }> {
    return { shards: await (await eventStoreOf(this)).sizes() };
  },
};

export const operations = {
  shards: storeSizes,
  timers: {
    ...operation,
    params: paramsOf({
      limit,
      after: Type.Optional(Type.String({ maxLength: 400, pattern: "^\\d{4}-\\d\\d-\\d\\dT[\\d:.]{8,12}Z ." })),
    }),
    async handler(
      this: HostingService,
      ctx: Ctx<{ limit?: number; after?: string }>,
    ): Promise<{ timers: TimerSummary[] }> {
      const { limit = PAGE, after } = ctx.params;
      const { now, timers } = await this.actors.store.timers(limit, after === undefined ? undefined : placeIn(after));
      const prefix = this.actors.streamOf("").length;
      const { count = 1, owners = [] } = { count: this.timerShare?.count, owners: await this.timerShare?.owners() };
      return {
        timers: timers.map(timer => {
          const node = owners[partitionOf(timer.stream, count)];
          return { ...summaryOf(timer, prefix, now), ...(node !== undefined && { node }) };
        }),
      };
    },
  },
  /** Asked of the actor's owner, which is the node that answers: how the actor stands, beside its state. */
  whereabouts: {
    ...operation,
    placement: "id",
    repeatable: true,
    params: paramsOf({ id: ActorId }),
    async handler(this: HostingService, ctx: Ctx<{ id: string }>): Promise<Whereabouts> {
      const { actors, broker } = this;
      const stream = actors.streamOf(ctx.params.id);
      const { now, timers } = await actors.store.timers(TIMERS_SEARCHED);
      const { length } = actors.streamOf("");
      return {
        owner: broker.nodeID,
        isArchived: await isArchived(actors.store, stream),
        timers: timers.filter(timer => timer.stream === stream).map(timer => summaryOf(timer, length, now)),
        isPartial: timers.length === TIMERS_SEARCHED,
      };
    },
  },
  /** How far the log is published; without `relay` where the carrier reads the log itself. */
  relay: {
    ...operation,
    params: paramsOf({}),
    async handler(this: HostingService): Promise<{ relay?: RelayStatus }> {
      return this.publisher ? { relay: await this.publisher.status() } : {};
    },
  },
  traced: {
    ...operation,
    params: paramsOf(TRACED),
    async handler(
      this: HostingService,
      ctx: Ctx<Traced>,
    ): Promise<{ events: LogEvent[]; searched: number; since?: string; hasMore: boolean }> {
      const { trace, newest, limit } = ctx.params;
      const { actor, store } = this.actors;
      const { events, searched, since } = await store.search(trace, newest, limit);
      const own = events.filter(({ metadata, stream }) => metadata.includes(trace) && isOf(this, stream));
      const fitting = own.slice(0, fittingOf(own, contentBytesMax(this.broker)));
      const hasMore = events.length === limit || fitting.length < own.length;
      return { events: fitting.map(event => toLogEvent(actor, event)), searched, ...(since && { since }), hasMore };
    },
  },
  actorsLike: {
    ...operation,
    params: paramsOf(LIKE),
    async handler(this: HostingService, ctx: Ctx<Like>): Promise<{ actors: ActorLike[] }> {
      const { prefix, limit } = ctx.params;
      const streams = await streamsLike(this.actors.store, this.actors.streamOf(prefix), limit);
      const length = this.actors.streamOf("").length;
      return {
        actors: streams.map(({ stream, version, archived }) => ({
          id: stream.slice(length),
          version,
          isArchived: archived,
        })),
      };
    },
  },
  wouldDecide: {
    ...operation,
    placement: "id",
    repeatable: true,
    params: paramsOf({
      id: ActorId,
      command: Type.String({ minLength: 1, maxLength: 64 }),
      params: Type.Record(Type.String(), Type.Unknown()),
      prepared: Type.Optional(Type.Unknown()),
    }),
    async handler(this: HostingService, ctx: Ctx<Supposed & { id: string }>): Promise<WouldDecide> {
      const { id, ...supposed } = ctx.params;
      const snapshot = await this.actors.get(id, { consistent: true });
      const decided = wouldDecide(this.actors.actor, snapshot, supposed, rfc3339(systemClock.now()));
      const stream = this.actors.streamOf(id);
      if (!(await isArchived(this.actors.store, stream))) return decided;
      const { type, message } = actorErrors.ARCHIVED({ stream });
      return { id, version: snapshot.version, command: supposed.command, outcome: "refuses", error: { type, message } };
    },
  },
};

const isOf = ({ actors }: HostingService, stream: string): boolean => stream.startsWith(actors.streamOf(""));

/** No snapshot has this number: the stream's row is read, and its newest events. */
const isArchived = async (store: EventStore, stream: string): Promise<boolean> =>
  (await store.load(stream, NO_SNAPSHOT)).archived;
const NO_SNAPSHOT = -1;

function placeIn(after: string): { nextAt: string; id: string } {
  const at = after.indexOf(" ");
  const nextAt = after.slice(0, at);
  if (Number.isNaN(Date.parse(nextAt))) throw callErrors.VALIDATION_ERROR({ field: "after", message: "is no timer" });
  return { nextAt, id: after.slice(at + 1) };
}

function summaryOf({ stream, params, cause, ...timer }: ListedTimer, prefix: number, now: number): TimerSummary {
  return {
    ...timer,
    actor: stream.slice(prefix),
    params: paramsIn(params),
    lateMs: Math.max(0, now - Date.parse(timer.dueAt)),
    ...(cause !== undefined && { cause }),
  };
}

function paramsIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A damaged one is shown as it is: it is what keeps the timer from firing.
    return text;
  }
}
