export { accountsContract, Person, type AccountsContract } from "./contract.ts";
