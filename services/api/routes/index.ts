import { accountRoutes } from "@valence/runtime/accounts";
import { withSuccessors } from "@valence/runtime/gateway";
import { auditRoutes, operationsRoutes } from "@valence/runtime/operations";
import { contract as accounts } from "../../accounts/contract.ts";
import { carts } from "./carts.ts";
import { catalog } from "./catalog.ts";
import { inventory } from "./inventory.ts";
import { operators } from "./operators.ts";
import { orders } from "./orders.ts";
import { payments } from "./payments.ts";
import { successions, V2 } from "./v2/index.ts";

/** Everything the gateway answers besides health, metrics and its own description. */
export const routes = [
  ...accountRoutes(accounts),
  ...withSuccessors(V2, [...catalog, ...orders], successions),
  ...inventory,
  ...carts,
  ...payments,
  ...operators,
  ...operationsRoutes,
  ...auditRoutes,
] as const;
