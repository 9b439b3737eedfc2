export { Accounts, type AccountsOptions } from "./accounts.ts";
export { ACCOUNT_INDEXES } from "./indexes.ts";
