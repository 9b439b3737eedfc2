export { accountsContract, Person, type AccountsContract } from "./contract.ts";
export { accountsEnvironment } from "./environment.ts";
export { accountRoutes } from "./routes.ts";
