import { newBrokers } from "../../testing/broker.ts";
import { carrierConformance } from "./carrier.conformance.ts";
import { LocalCarrier } from "./local.ts";
import { SharedCarrier } from "./shared.ts";

carrierConformance("the local carrier", async source => {
  const house = await newBrokers();
  const broker = await house.start(source.schema());
  return { carrier: new SharedCarrier(new LocalCarrier(broker)), end: () => house.stop() };
});
