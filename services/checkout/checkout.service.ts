import { defineService } from "@valence/runtime/contract";
import { Sagas } from "@valence/runtime/saga/mixin";
import { Checkout } from "./checkout.saga.ts";
import { Refund } from "./refund.saga.ts";
import { contract } from "./contract.ts";

export default defineService(contract, { mixins: [Sagas([Checkout, Refund])] });
