export { contract, Person } from "./contract.ts";
