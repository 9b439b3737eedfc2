// The HTTP routes of operations, for administrators. A domain spreads them among its own routes.
import { auditTable, operationsTable } from "./table/table.ts";
import { routeOf, type RouteOf } from "./table/routes.ts";

export const operationsRoutes: readonly RouteOf<(typeof operationsTable)[number]>[] = operationsTable.map(operation =>
  routeOf(operation),
);

/** For a domain that runs the service `audit`. */
export const auditRoutes: readonly RouteOf<(typeof auditTable)[number]>[] = auditTable.map(operation =>
  routeOf(operation),
);
