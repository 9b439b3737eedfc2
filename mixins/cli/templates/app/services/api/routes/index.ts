import { accountRoutes } from "@valence/runtime/accounts";
import { operationsRoutes } from "@valence/runtime/operations";
import { contract as accounts } from "../../accounts/contract.ts";
// #region crud
import { records } from "./records.ts";
// #endregion
import { things } from "./things.ts";

/** Everything the gateway answers besides health, metrics and its own description. */
export const routes = [
  ...accountRoutes(accounts),
  // #region crud
  ...records,
  // #endregion
  ...things,
  ...operationsRoutes,
] as const;
