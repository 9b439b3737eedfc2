import { defineService } from "@valence/runtime/contract";
import { Outbounds } from "@valence/runtime/stream/mixin";
import { contract } from "./contract.ts";
import { OrderCompleted } from "./order-completed.outbound.ts";

export default defineService(contract, { mixins: [Outbounds(OrderCompleted)] });
