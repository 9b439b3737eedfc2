import { accountsContract } from "@valence/runtime/accounts";
import { roles } from "../roles.ts";

/** Accounts of the shop: people who buy, and administrators. */
export const contract = accountsContract({
  roles: Object.keys(roles),
  callers: { api: ["exchange", "claimAnswer", "finishAnswer", "releaseAnswer"], notifications: ["get"] },
});
