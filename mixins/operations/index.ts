export { contract as operationsContract } from "./contract.ts";
export { auditRoutes, operationsRoutes } from "./routes.ts";
export { defineSmoke, type Smoke, type SmokeStep, type SmokeVisitor } from "./smoke.ts";
