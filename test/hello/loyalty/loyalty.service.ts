import { Actors } from "../../../mixins/actor/mixin.ts";
import { defineService } from "../../../mixins/contract/index.ts";
import { Account } from "./account.ts";
import { contract } from "./contract.ts";

export default defineService(contract, { mixins: [Actors(Account)] });
