// The mixin of a service that keeps read models.
import type { Context, Service } from "moleculer";
import Type from "typebox";
import { paramsOf, type Mixin } from "../contract/index.ts";
import { queriesInCalls } from "../kernel/index.ts";
import { keepsTables } from "../database/siblings.ts";
import { migrate } from "../database/mixin.ts";
import { consumersOf, streamTables, Consuming } from "../stream/siblings.ts";
import type { Projection } from "./define-projection.ts";
import { ProjectionHost } from "./host.ts";
import type { ProjectionLimits } from "./limits.ts";
import { migrations } from "./migrations.ts";
import { projectionErrors } from "./errors.ts";

export { ProjectionHost, type BuildStatus } from "./host.ts";
export { PROJECTION_LIMITS, type ProjectionLimits } from "./limits.ts";
export { PROJECTION_INDEXES } from "./migrations.ts";

/** A service that keeps projections: `this.projection("loan-list").table("loans")` is there from `started` on. */
export type ProjectingService = Service & {
  projections: Map<string, ProjectionHost>;
  projection(name: string): ProjectionHost;
};

type OneOf<P> = P extends readonly (infer X)[] ? X : P;
type TablesOf<P> = P extends Projection<infer T, any> ? T : never;
/** The additions of the mixin to `this`: the projections by their names. */
export interface Projecting<P> {
  projection<N extends (OneOf<P> extends Projection<any, infer X> ? X : never)>(
    name: N,
  ): ProjectionHost<TablesOf<Extract<OneOf<P>, { readonly name: N }>>>;
}

const operation = { visibility: "public", permission: "operations:read" } as const;

/**
 * Keeps projections: `mixins: [Projections([LoanList, Members])]`. `this.projection(name)` has `table(name)`, a query
 * on the live rows, and `waitFor(token)` for read-your-writes. Operations: `projections`, `rebuildProjection`.
 */
export function Projections<const P extends Projection | readonly Projection[]>(
  projections: P,
  limits: Partial<ProjectionLimits> = {},
): Mixin<Projecting<P>> {
  const list = (Array.isArray(projections) ? projections : [projections]) as readonly Projection[];
  return {
    mixins: [
      Consuming(
        [],
        list.flatMap(({ on }) => Object.keys(on)),
      ),
    ],
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
        permission: "operations:write",
        params: paramsOf({ name: Type.String({ minLength: 1, maxLength: 100 }) }),
        handler(this: ProjectingService, ctx: Context<{ name: string }>) {
          return this.projection(ctx.params.name).rebuild();
        },
      },
    },
    created(this: ProjectingService) {
      queriesInCalls(this);
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
  } as object as Mixin<Projecting<P>>;
}
