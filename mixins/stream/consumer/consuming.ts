// The mixin of every service with consumers of any kind: the hint that wakes them, and the operations of an operator.
import type { Context, Service, ServiceSchema } from "moleculer";
import Type from "typebox";
import { paramsOf } from "../../contract/index.ts";
import { keepsTables } from "../../database/siblings.ts";
import { COMMITTED, type Committed } from "../log/source.ts";
import { streamTables } from "../tables.ts";
import type { AcknowledgedQuery } from "./acknowledged.ts";
import { ALL_TYPES } from "../log/registry.ts";
import { consumersOf, stopsConsumersFirst } from "./consumers.ts";
import { deadLettersIn, letterCounts, retryDeadLetter, tracedLettersIn } from "./dead-letters.ts";
import { unparkGroup, type ParkedFilter } from "./parked.ts";

/** Entries of a list unless the caller asks for fewer. */
const PAGE = 100;
const PAGE_MAX = 1_000;
const operation = { visibility: "public", permission: "operations:read" } as const;

/** For siblings: narrows the parked streams that go back to work: a consumer, a type of error, milliseconds since the first failure. */
export const GROUP = {
  consumer: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  error: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
  olderThanMs: Type.Optional(Type.Integer({ minimum: 0 })),
};

interface LettersAsked {
  readonly limit?: number;
  readonly after?: string;
  readonly brief?: boolean;
  readonly consumer?: string;
  readonly error?: string;
}

/**
 * Gives a service the operations `consumers`, `deadLetters`, `deadLetterCounts`, `retryDeadLetter`, `retryDeadLetters` and `resetConsumer`, the
 * action `taken` for owners of logs, and stops its consumers with it. Consumers are added by `consumersOf(this)`; `types` are
 * the events that they take: the NATS server lets a role read the streams of their owners, and no others.
 */
export function Consuming(names: readonly string[], types: readonly string[] | "all"): Partial<ServiceSchema> {
  return {
    metadata: {
      consumers: Object.fromEntries(names.map(name => [name, true])),
      takes: Object.fromEntries((types === "all" ? [ALL_TYPES] : types).map(type => [type, true])),
      joinsPages: true,
    },
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
        // For the doctor's examination in the background, which is on nobody's behalf.
        callers: ["ops"],
        params: paramsOf({}),
        async handler(this: Service) {
          return { consumers: await (await consumersOf(this)).all({ partitions: "all" }) };
        },
      },
      deadLetters: {
        ...operation,
        params: paramsOf({
          limit: Type.Optional(Type.Integer({ minimum: 1, maximum: PAGE_MAX })),
          after: Type.Optional(Type.String({ pattern: "^[0-9]{1,15}$" })),
          brief: Type.Optional(Type.Boolean()),
          consumer: GROUP.consumer,
          error: GROUP.error,
        }),
        async handler(this: Service, ctx: Context<LettersAsked>) {
          const { limit = PAGE, after = "0", brief = false, consumer, error } = ctx.params;
          const asked = { limit, after: Number(after), brief, consumer, error };
          return deadLettersIn((await consumersOf(this)).database, asked);
        },
      },
      deadLetterCounts: {
        ...operation,
        params: paramsOf({}),
        async handler(this: Service) {
          return letterCounts((await consumersOf(this)).database);
        },
      },
      tracedLetters: {
        ...operation,
        params: paramsOf({
          trace: Type.String({ pattern: "^[0-9a-f]{32}$" }),
          newest: Type.Integer({ minimum: 1, maximum: 100_000 }),
          limit: Type.Integer({ minimum: 1, maximum: PAGE_MAX }),
        }),
        async handler(this: Service, ctx: Context<{ trace: string; newest: number; limit: number }>) {
          const { trace, newest, limit } = ctx.params;
          return { deadLetters: await tracedLettersIn((await consumersOf(this)).database, trace, newest, limit) };
        },
      },
      resetConsumer: {
        ...operation,
        permission: "operations:write",
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
        permission: "operations:read",
        callers: ["*"],
        async handler(this: Service, ctx: Context<AcknowledgedQuery>) {
          return { ids: await (await consumersOf(this)).acknowledged(ctx.params) };
        },
      },
      retryDeadLetter: {
        ...operation,
        permission: "operations:write",
        params: paramsOf({ id: Type.String({ pattern: "^[0-9]{1,15}$" }) }),
        async handler(this: Service, ctx: Context<{ id: string }>) {
          await retryDeadLetter((await consumersOf(this)).database, ctx.params.id);
          return { id: ctx.params.id, retried: true };
        },
      },
      retryDeadLetters: {
        ...operation,
        permission: "operations:write",
        params: paramsOf({ ...GROUP, dryRun: Type.Optional(Type.Boolean()) }),
        async handler(this: Service, ctx: Context<ParkedFilter & { dryRun?: boolean }>) {
          return { retried: await unparkGroup((await consumersOf(this)).database, ctx.params) };
        },
      },
    },
    created(this: Service) {
      keepsTables(this, () => streamTables(this));
      // The broker waits for its calls to other nodes, of which readers of logs have one under way most of the time. One that is
      // alone has none, and its last queries may wait for what its consumers are about to read.
      if (this.broker.transit) stopsConsumersFirst(this);
    },
    async stopped(this: Service) {
      await (await consumersOf(this)).stop();
    },
  } as Partial<ServiceSchema>;
}
