import { accountsContract } from "@valence/runtime/accounts";
import { roles } from "../roles.ts";

export const contract = accountsContract({ roles: Object.keys(roles) });
