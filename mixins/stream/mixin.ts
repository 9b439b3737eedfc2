// What a service mixes in to react to the events of others.
import type { Context, Service, ServiceSchema } from "moleculer";
import Type from "typebox";
import { stopsFirst } from "../kernel/index.ts";
import { paramsOf } from "../contract/index.ts";
import { keepsTables } from "../database/mixin.ts";
import type { Publisher } from "./carriers/resolve.ts";
import { consumersOf } from "./consumer/consumers.ts";
import type { Reactor } from "./consumer/define-reactor.ts";
import { consumerOf } from "./consumer/reactor.ts";
import { COMMITTED, type Committed } from "./log/source.ts";
import type { ParkedFilter } from "./consumer/parked.ts";
import { streamTables } from "./tables.ts";
import type { AcknowledgedQuery } from "./consumer/acknowledged.ts";

export { publishLog, type Publisher } from "./carriers/resolve.ts";
export {
  consumersOf,
  forgetConsumer,
  type ConsumerStatus,
  type Consumers,
  type DeadLetter,
} from "./consumer/consumers.ts";
export type { Consumer, Failures } from "./consumer/partition-reader.ts";
export { STREAM_LIMITS, type StreamLimits } from "./limits.ts";
export { STREAM_INDEXES } from "./migrations.ts";
export { streamOf } from "./consumer/checkpoint.ts";
export { startNotifier, type NotifierOptions } from "./publish/notifier.ts";
export { resetConsumer, type Reset, type ResetCheckpoint, type ResetReport } from "./consumer/reset.ts";
export { singletonOf, type Singleton } from "./consumer/singleton.ts";
export { streamTables } from "./tables.ts";
export { Subscribers } from "./consumer/subscribers.ts";
export { releasedByAll, type Held, type Kept, type Released } from "./consumer/acknowledged.ts";
export { inChunks } from "./chunks.ts";

const PAGE = 100;
const operation = { visibility: "public", roles: ["admin"] } as const;

/** Which parked streams go back to work: of a consumer, of a type of error, set aside for so many milliseconds at least. */
const GROUP = {
  consumer: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  error: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  olderThanMs: Type.Optional(Type.Integer({ minimum: 0 })),
};

/**
 * What every service with consumers has, whatever they are: the hint that wakes them, and the operations `consumers`,
 * `deadLetters`, `retryDeadLetter`, `retryDeadLetters`, `resetConsumer`. Consumers are added by `consumersOf(this)`.
 */
export function Consuming(names: readonly string[]): Partial<ServiceSchema> {
  return {
    metadata: { consumers: Object.fromEntries(names.map(name => [name, true])) },
    events: {
      [COMMITTED]: {
        async handler(this: Service, ctx: Context<Committed>) {
          (await consumersOf(this)).wake(ctx.params.service);
        },
      },
    },
    actions: {
      consumers: {
        ...operation,
        params: paramsOf({}),
        async handler(this: Service) {
          return { consumers: await (await consumersOf(this)).all() };
        },
      },
      deadLetters: {
        ...operation,
        params: paramsOf({
          limit: Type.Optional(Type.Integer({ minimum: 1, maximum: PAGE })),
          after: Type.Optional(Type.String({ pattern: "^[0-9]{1,15}$" })),
        }),
        async handler(this: Service, ctx: Context<{ limit?: number; after?: string }>) {
          const { limit = PAGE, after = "0" } = ctx.params;
          return { deadLetters: await (await consumersOf(this)).deadLetters(limit, Number(after)) };
        },
      },
      resetConsumer: {
        ...operation,
        params: paramsOf({
          name: Type.String({ minLength: 1, maxLength: 200 }),
          to: Type.Enum(["head", "start"]),
          dryRun: Type.Optional(Type.Boolean()),
        }),
        async handler(this: Service, ctx: Context<{ name: string; to: "head" | "start"; dryRun?: boolean }>) {
          const { name, to, dryRun = false } = ctx.params;
          return (await consumersOf(this)).reset(name, { to, dryRun });
        },
      },
      taken: {
        visibility: "public",
        roles: ["admin"],
        async handler(this: Service, ctx: Context<AcknowledgedQuery>) {
          return { ids: await (await consumersOf(this)).taken(ctx.params) };
        },
      },
      retryDeadLetter: {
        ...operation,
        params: paramsOf({ id: Type.String({ pattern: "^[0-9]{1,15}$" }) }),
        async handler(this: Service, ctx: Context<{ id: string }>) {
          await (await consumersOf(this)).retry(ctx.params.id);
          return { id: ctx.params.id, retried: true };
        },
      },
      retryDeadLetters: {
        ...operation,
        params: paramsOf(GROUP),
        async handler(this: Service, ctx: Context<ParkedFilter>) {
          return { retried: await (await consumersOf(this)).retryGroup(ctx.params) };
        },
      },
    },
    created(this: Service) {
      keepsTables(this, () => streamTables(this));
    },
    async stopped(this: Service) {
      await (await consumersOf(this)).stop();
    },
  } as Partial<ServiceSchema>;
}

/** The hint that wakes the publisher of a service that owns events: another node has committed, and this one publishes. */
export const Publishing = {
  events: {
    [COMMITTED]: {
      handler(this: Service & { publisher?: Publisher }, ctx: Context<Committed>) {
        if (ctx.params.service === this.fullName) this.publisher?.wake();
      },
    },
  },
} as Partial<ServiceSchema>;

/** Runs reactors: `mixins: [Reactors(WelcomeBonus)]`. Each starts at the first event there ever was. */
export function Reactors(reactors: Reactor | readonly Reactor[]): Partial<ServiceSchema> {
  const list: readonly Reactor[] = Array.isArray(reactors) ? reactors : [reactors as Reactor];
  return {
    mixins: [Consuming(list.map(({ name }) => name))],
    created(this: Service) {
      stopsFirst(this, async () => {
        // What fails here fails in `stopped` as well, and is told there.
        void consumersOf(this)
          .then(consumers => consumers.stop())
          .catch(() => {});
      });
    },
    async started(this: Service) {
      const consumers = await consumersOf(this);
      for (const reactor of list) consumers.add(consumerOf(reactor, this.broker));
    },
  };
}
