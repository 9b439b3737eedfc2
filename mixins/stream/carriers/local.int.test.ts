import { testHouse } from "../log/source.fixture.ts";
import { carrierConformance } from "./carrier.conformance.ts";
import { LocalCarrier } from "./local.ts";

carrierConformance("the local carrier", async source => {
  const house = await testHouse();
  const broker = await house.start(source.schema());
  return { carrier: new LocalCarrier(broker), end: () => house.end() };
});
