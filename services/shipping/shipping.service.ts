import { defineService } from "../../mixins/contract/index.ts";
import { Actors } from "../../mixins/actor/mixin.ts";
import { Reactors } from "../../mixins/stream/mixin.ts";
import { contract } from "./contract.ts";
import { Shipment } from "./shipment.ts";
import { TellOrder } from "./tell-order.reactor.ts";

export default defineService(contract, { mixins: [Actors(Shipment), Reactors(TellOrder)] });
