// The HTTP routes of operations, for administrators. A domain spreads them among its own routes.
import type { Route } from "../gateway/index.ts";
import { auditTable, operationsTable } from "./table/table.ts";
import { routeOf } from "./table/routes.ts";

export const operationsRoutes: readonly Route[] = operationsTable.map(routeOf);

/** For a domain that runs the service `audit`. */
export const auditRoutes: readonly Route[] = auditTable.map(routeOf);
