// How far every reader of a log is behind: consumers (sagas and reactors begin with one), builds of projections, and relays that
// publish a log to the carrier.
import {
  ask,
  askEach,
  descending,
  hasActor,
  hasConsumers,
  hasProjections,
  limits,
  servicesWith,
  type Answer,
} from "../asking.ts";
import { pageIn } from "../pages.ts";
import type { Ctx } from "./context.ts";

/** A reader of logs, as its service tells it. */
interface Reader extends Answer {
  readonly name: string;
  readonly lagEvents: number | null;
  readonly lagMs: number;
}
interface Row extends Answer {
  readonly kind: "consumer" | "projection" | "relay";
  readonly service: string;
  readonly name: string;
  readonly lagEvents: number | null;
  readonly lagSeconds: number;
}

export async function lag(ctx: Ctx<"lag">) {
  const { limit = limits.page, cursor } = ctx.params;
  const { rows, silent } = await lagOf(ctx);
  // The slowest first: of one whose source is away nobody knows how far it is behind.
  const key = [
    ({ lagEvents }: Row) => (lagEvents === null ? "0" : "1"),
    ({ lagSeconds }: Row) => descending(lagSeconds),
    ({ lagEvents }: Row) => descending(lagEvents ?? 0),
    ({ kind, service, name }: Row) => `${kind} ${service} ${name}`,
  ];
  const { entries, ...next } = pageIn(rows, { list: "lag", limit, cursor, key });
  return { lag: entries, silent, ...next };
}

export async function lagOf(ctx: Ctx<"lag">): Promise<{ rows: Row[]; silent: string[] }> {
  const { broker } = ctx;
  const [consumers, projections, relays] = await Promise.all([
    askEach(servicesWith(broker, hasConsumers), (service, options) =>
      ask<{ consumers: Reader[] }>(ctx, service, "consumers", {}, options),
    ),
    askEach(servicesWith(broker, hasProjections), (service, options) =>
      ask<{ projections: (Reader & { version: number; build: number })[] }>(ctx, service, "projections", {}, options),
    ),
    askEach(servicesWith(broker, hasActor), (service, options) =>
      ask<{ relay?: Omit<Reader, "name"> }>(ctx, service, "relay", {}, options),
    ),
  ]);
  const builds = projections.answers.flatMap(({ service, answer }) =>
    answer.projections.map(build => rowOf("projection", service, { ...build, name: buildName(build) })),
  );
  // A build reads by a consumer of its name.
  const isBuild = new Set(builds.map(({ service, name }) => `${service} ${name}`));
  const readers = consumers.answers.flatMap(({ service, answer }) =>
    answer.consumers
      .filter(({ name }) => !isBuild.has(`${service} ${name}`))
      .map(reader => rowOf("consumer", service, reader)),
  );
  const publishing = relays.answers.flatMap(({ service, answer: { relay } }) =>
    relay ? [rowOf("relay", service, { name: service, ...relay } as Reader)] : [],
  );
  const silent = [...new Set([consumers, projections, relays].flatMap(asked => asked.silent))].sort();
  return { rows: [...readers, ...builds, ...publishing], silent };
}

const buildName = ({ name, version, build }: { name: string; version: number; build: number }): string =>
  `${name}@${version}${build > 1 ? `.${build}` : ""}`;

function rowOf(kind: Row["kind"], service: string, { name, lagEvents, lagMs, ...rest }: Reader): Row {
  return { kind, service, name, lagEvents, lagSeconds: Math.round(lagMs / 100) / 10, ...rest };
}
