import { accountRoutes } from "@valence/runtime/accounts";
import type { Route } from "@valence/runtime/gateway";
import { operationsRoutes } from "@valence/runtime/operations";

/** Everything the gateway answers besides health, metrics and its own description. */
export const routes: readonly Route[] = [...accountRoutes(), ...operationsRoutes];
