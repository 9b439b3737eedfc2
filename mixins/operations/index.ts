export { contract } from "./contract.ts";
export { operations } from "./routes.ts";
