import { defineService } from "../../mixins/contract/index.ts";
import { Sagas } from "../../mixins/saga/mixin.ts";
import { Checkout } from "./checkout.saga.ts";
import { Refund } from "./refund.saga.ts";
import { contract } from "./contract.ts";

export default defineService(contract, { mixins: [Sagas([Checkout, Refund])] });
