import { defineService } from "../../../mixins/contract/index.ts";
import { Sagas } from "../../../mixins/saga/mixin.ts";
import { contract } from "./contract.ts";
import { Redemption } from "./redemption.saga.ts";

export default defineService(contract, { mixins: [Sagas(Redemption)] });
