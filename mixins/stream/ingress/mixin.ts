// The mixin of a service that takes messages from outside.
import type { Context, Service, ServiceSchema } from "moleculer";
import Type from "typebox";
import { paramsOf } from "../../contract/index.ts";
import { migrate } from "../../database/mixin.ts";
import { keepsTables } from "../../database/siblings.ts";
import { dependsOn, isStopping } from "../../kernel/index.ts";
import { metersOf, reading } from "../../metrics/index.ts";
import { consumersOf, stopsConsumersFirst, type Consumers } from "../consumer/consumers.ts";
import { Consuming, GROUP } from "../consumer/consuming.ts";
import type { ParkedFilter } from "../consumer/parked.ts";
import { streamEnvironment } from "../environment.ts";
import { streamErrors } from "../errors.ts";
import { STREAM_LIMITS } from "../limits.ts";
import { streamMetrics } from "../metrics.ts";
import { streamTables } from "../tables.ts";
import { announced } from "./announced.ts";
import type { Ingress } from "./define-ingress.ts";
import { discard, discardGroup } from "./discard.ts";
import { IngressReader } from "./ingress-reader.ts";
import { buses, inletOf } from "./inlets/resolve.ts";
import { migrations } from "./migrations.ts";
import { pause, resume } from "./pause.ts";
import { ingressState, offStatus, statusOf, type IngressStatus } from "./status.ts";

/** An ingress of a service, as its operations see it. */
interface Running {
  readonly name: string;
  status(): Promise<IngressStatus>;
  /** An operator has paused or resumed it. */
  lookNow(): void;
}
type Receiving = Service & { ingresses: readonly Running[] };

const operation = { visibility: "public", permission: "operations:read" } as const;
const changing = { ...operation, permission: "operations:write" } as const;
const NAME = { name: Type.String({ minLength: 1, maxLength: 64 }) };

/**
 * Runs ingresses: `mixins: [Ingresses(SupplierDeliveries)]`. Each starts at the first message that its topic has; the nodes that
 * run the service share its partitions. Gives the service the operations of consumers, dead letters among them, and
 * `ingresses`, `pauseIngress`, `resumeIngress`, `discardDeadLetter` and `discardDeadLetters`.
 */
export function Ingresses(ingresses: Ingress | readonly Ingress[]): Partial<ServiceSchema> {
  const list: readonly Ingress[] = Array.isArray(ingresses) ? ingresses : [ingresses as Ingress];
  return {
    mixins: [
      Consuming(
        list.map(({ name }) => name),
        [],
      ),
    ],
    metadata: { ingresses: Object.fromEntries(list.map(ingress => [ingress.name, announced(ingress)])) },
    actions: {
      ingresses: {
        ...operation,
        params: paramsOf({}),
        async handler(this: Service) {
          return { ingresses: await Promise.all(runningIn(this).map(ingress => ingress.status())) };
        },
      },
      pauseIngress: {
        ...changing,
        params: paramsOf({ ...NAME, note: Type.Optional(Type.String({ maxLength: 500 })) }),
        async handler(this: Service, ctx: Context<{ name: string; note?: string }, { user?: { id: string } }>) {
          const { name, note } = ctx.params;
          const found = ingressIn(this, name);
          await pause(await tablesOf(this), name, { by: ctx.meta.user?.id, note });
          found.lookNow();
          return found.status();
        },
      },
      resumeIngress: {
        ...changing,
        params: paramsOf(NAME),
        async handler(this: Service, ctx: Context<{ name: string }>) {
          const found = ingressIn(this, ctx.params.name);
          await resume(await tablesOf(this), ctx.params.name);
          found.lookNow();
          return found.status();
        },
      },
      discardDeadLetter: {
        ...changing,
        params: paramsOf({ id: Type.String({ pattern: "^[0-9]{1,15}$" }) }),
        async handler(this: Service, ctx: Context<{ id: string }>) {
          const names = list.map(({ name }) => name);
          await discard(await tablesOf(this), names, ctx.params.id);
          return { id: ctx.params.id, discarded: true };
        },
      },
      discardDeadLetters: {
        ...changing,
        params: paramsOf({ ...GROUP, dryRun: Type.Optional(Type.Boolean()) }),
        async handler(this: Service, ctx: Context<ParkedFilter & { dryRun?: boolean }>) {
          const names = list.map(({ name }) => name);
          return discardGroup(await tablesOf(this), names, ctx.params);
        },
      },
    },
    created(this: Service) {
      keepsTables(this, () => tablesOf(this));
      stopsConsumersFirst(this);
    },
    async started(this: Service) {
      const consumers = await consumersOf(this);
      await tablesOf(this);
      (this as Receiving).ingresses = list.map(ingress => run(this, consumers, ingress));
    },
  } as Partial<ServiceSchema>;
}

async function tablesOf(service: Service) {
  const database = await streamTables(service);
  await migrate(database, "ingress", migrations);
  return database;
}

const runningIn = (service: Service): readonly Running[] => (service as Receiving).ingresses;

function ingressIn(service: Service, name: string): Running {
  const found = runningIn(service).find(ingress => ingress.name === name);
  if (!found) throw streamErrors.INGRESS_NOT_FOUND({ field: "name", ingress: name });
  return found;
}

/** Starts an ingress, or says once that it is off. */
function run(service: Service, consumers: Consumers, ingress: Ingress): Running {
  const { broker, fullName, logger } = service;
  const { name } = ingress;
  const needed = buses(ingress);
  const tell = (status: () => Promise<IngressStatus>): void =>
    void dependsOn(broker, {
      kind: "ingress",
      name: `${fullName}: ${name}`,
      ask: async () => ingressState(await status(), needed),
    });
  const inlet = inletOf(broker, ingress);
  if (!inlet) {
    logger.info(`ingress ${name} is off: ${needed} is not set`);
    const off = { name, status: async () => offStatus(name), stop: async () => {}, lookNow: () => {} };
    consumers.join(off);
    tell(off.status);
    return off;
  }
  const meters = metersOf(broker);
  const labels = { service: fullName, ingress: name };
  const { database } = consumers;
  const reader = new IngressReader(
    {
      database,
      broker,
      service: fullName,
      shareCount: consumers.shareCount,
      release: streamEnvironment.of(broker).RELEASE,
      limits: STREAM_LIMITS,
      logger,
      isStopping: () => isStopping(broker),
      count: outcome => meters?.counter(streamMetrics.ingressMessages, { ...labels, outcome }).add(),
      countLost: messages => meters?.counter(streamMetrics.ingressLost, labels).add(messages),
    },
    ingress,
    inlet,
  );
  const status = (): Promise<IngressStatus> => statusOf(database, reader, STREAM_LIMITS.failedStreamsMax);
  meters?.read("ingresses", () => [reading(streamMetrics.ingressPaused, reader.state === "paused" ? 1 : 0, labels)]);
  consumers.join({ name, serve: partitions => reader.serve(partitions), stop: () => reader.stop(), status });
  tell(status);
  return { name, status, lookNow: () => reader.lookNow() };
}
