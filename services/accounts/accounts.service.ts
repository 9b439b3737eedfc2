import { Accounts } from "@valence/runtime/accounts/mixin";
import { environmentOf } from "@valence/runtime/kernel";
import { contract } from "./contract.ts";

export default Accounts(contract, {
  registered: ["customer"],
  // A shop that is to stay empty has no administrator either.
  firstAdministrator: broker => environmentOf(broker).seed,
});
