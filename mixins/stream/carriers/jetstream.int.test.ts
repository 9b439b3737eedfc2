import { afterAll, beforeAll } from "@jest/globals";
import { Nats } from "../../../test/servers/nats.ts";
import { testHouse } from "../source.fixture.ts";
import { carrierConformance } from "./carrier.conformance.ts";
import { carrierOf } from "./resolve.ts";

let nats: Nats;
beforeAll(async () => void (nats = await Nats.start()));
afterAll(() => nats.stop());
let shops = 0;

carrierConformance("JetStream", async source => {
  const house = await testHouse();
  Object.assign(house.variables, { NATS_URL: nats.url, NAMESPACE: `shop-${++shops}` });
  const broker = await house.start(source.schema());
  return { carrier: carrierOf(broker), end: () => house.end() };
});
