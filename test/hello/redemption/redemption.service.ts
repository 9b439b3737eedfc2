import { defineService } from "@valence/runtime/contract";
import { Sagas } from "@valence/runtime/saga/mixin";
import { contract } from "./contract.ts";
import { Redemption } from "./redemption.saga.ts";

export default defineService(contract, { mixins: [Sagas(Redemption)] });
