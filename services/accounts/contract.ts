import { accountsContract } from "@valence/runtime/accounts";

/** Accounts of the shop: people who buy, and administrators. */
export const contract = accountsContract({ roles: ["customer"] });
