export { auditRoutes } from "./audit-routes.ts";
export { contract as operationsContract } from "./contract.ts";
export { operationsRoutes } from "./routes.ts";
