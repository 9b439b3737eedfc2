export { contract as operationsContract } from "./contract.ts";
export { auditRoutes, operationsRoutes } from "./routes.ts";
