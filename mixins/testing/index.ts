// The test kit, its pure part: waiting, random numbers and requests, raw HTTP requests. Servers and databases are
// behind `testing/servers`, brokers behind `testing/broker`, jest's configuration behind `testing/jest`.
export { randomRequests, respelled, type FuzzOptions } from "./fuzz.ts";
export { ApiDescription, type Example } from "./description.ts";
export { randomOf } from "./random.ts";
export { until } from "./until.ts";
export { WireClient, type Received, type Sent } from "./wire.ts";
export { freeze, freezeActor } from "./freeze.ts";
export { checkFrozen, checkGolden } from "./golden.ts";
