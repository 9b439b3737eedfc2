export { contract as operationsContract } from "./contract.ts";
export { operationsRoutes } from "./routes.ts";
