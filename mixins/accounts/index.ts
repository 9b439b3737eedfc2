export { accountsContract, Person, type AccountsContract } from "./contract.ts";
export { accountRoutes } from "./routes.ts";
