// Users, sessions, roles and the keys that sign access tokens.
import { Accounts } from "@valence/runtime/accounts/mixin";
import { contract } from "./contract.ts";

export default Accounts(contract);
