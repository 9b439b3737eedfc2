import { defineService } from "@valence/runtime/contract";
import { Actors } from "@valence/runtime/actor/mixin";
import { Reactors } from "@valence/runtime/stream/mixin";
import { contract } from "./contract.ts";
import { Shipment } from "./shipment.ts";
import { TellOrder } from "./tell-order.reactor.ts";

export default defineService(contract, { mixins: [Actors(Shipment), Reactors(TellOrder)] });
