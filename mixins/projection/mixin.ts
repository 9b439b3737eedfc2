// What a service mixes in to keep read models.
import type { Context, Service, ServiceSchema } from "moleculer";
import Type from "typebox";
import { paramsOf } from "../contract/index.ts";
import { keepsTables, migrate } from "../database/mixin.ts";
import { consumersOf, streamTables, Consuming } from "../stream/mixin.ts";
import type { Projection } from "./define-projection.ts";
import { ProjectionHost } from "./host.ts";
import type { ProjectionLimits } from "./limits.ts";
import { migrations } from "./migrations.ts";
import { projectionErrors } from "./errors.ts";

export { ProjectionHost, type BuildStatus } from "./host.ts";
export { PROJECTION_LIMITS, type ProjectionLimits } from "./limits.ts";
export { PROJECTION_INDEXES } from "./migrations.ts";

/** A service that keeps projections: `this.projection("order-list").table("orders")` is there from `started` on. */
export type ProjectingService = Service & {
  projections: Map<string, ProjectionHost>;
  projection(name: string): ProjectionHost;
};

const operation = { visibility: "public", roles: ["admin"] } as const;

/**
 * Keeps projections: `mixins: [Projections([OrderList, Sales])]`. `this.projection(name)` has `table(name)`, a query on
 * the live rows, and `waitFor(token)` for read-your-writes. Operations: `projections`, `rebuildProjection`.
 */
export function Projections(
  projections: Projection | readonly Projection[],
  limits: Partial<ProjectionLimits> = {},
): Partial<ServiceSchema> {
  const list: readonly Projection[] = Array.isArray(projections) ? projections : [projections as Projection];
  return {
    mixins: [Consuming([])],
    metadata: { projections: Object.fromEntries(list.map(({ name, version }) => [name, version])) },
    methods: {
      projection(this: ProjectingService, name: string): ProjectionHost {
        const host = this.projections.get(name);
        if (!host) throw projectionErrors.PROJECTION_NOT_FOUND({ field: "name", name });
        return host;
      },
    },
    actions: {
      projections: {
        ...operation,
        params: paramsOf({}),
        async handler(this: ProjectingService) {
          const builds = await Promise.all([...this.projections.values()].map(host => host.status()));
          return { projections: builds.flat() };
        },
      },
      rebuildProjection: {
        ...operation,
        params: paramsOf({ name: Type.String({ minLength: 1, maxLength: 100 }) }),
        handler(this: ProjectingService, ctx: Context<{ name: string }>) {
          return this.projection(ctx.params.name).rebuild();
        },
      },
    },
    created(this: ProjectingService) {
      this.projections = new Map();
      keepsTables(this, async () => {
        const database = await streamTables(this);
        await migrate(database, "projection", migrations);
        for (const projection of list) await ProjectionHost.prepare(projection, database);
      });
    },
    async started(this: ProjectingService) {
      const consumers = await consumersOf(this);
      await migrate(consumers.database, "projection", migrations);
      for (const projection of list)
        this.projections.set(projection.name, await ProjectionHost.start(projection, consumers, this.logger, limits));
    },
    async stopped(this: ProjectingService) {
      await Promise.all([...this.projections.values()].map(host => host.stop()));
    },
  } as object;
}
