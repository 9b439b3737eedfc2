export { Accounts, type AccountsOptions } from "./accounts.ts";
