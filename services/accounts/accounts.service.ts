import { Accounts } from "@valence/runtime/accounts/mixin";
import { seedEnvironment } from "../first-start.ts";
import { contract } from "./contract.ts";

export default Accounts(contract, {
  registered: ["customer"],
  // A shop that is to stay empty (SEED=off) gets no administrator either, unless ADMIN_PASSWORD is set.
  firstAdministrator: broker => seedEnvironment.of(broker).SEED,
});
