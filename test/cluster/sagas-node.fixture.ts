// A node of a test's cluster that runs sagas, and all services that they call. Parcels are not sent while the file `HOLD`
// exists, and no round of the watchdog comes after the first.
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { startFulfilment } from "../../mixins/saga/fulfilment-services.fixture.ts";

const env = process.env as Record<string, string>;
const world = async (action: string): Promise<void> => {
  if (action === "send") while (existsSync(env["HOLD"]!)) await sleep(20);
};
await startFulfilment(
  { folder: env["EFFECTS"]!, env },
  { world, limits: { watchdogMs: 600_000 }, broker: { nodeID: env["NODEID"]! } },
);
console.log("started");
