import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { announce, readEnvironment } from "../../kernel/index.ts";
import { brokerOptions } from "../index.ts";

let written: string[];
beforeEach(() => {
  written = [];
  jest.spyOn(process.stdout, "write").mockImplementation(chunk => written.push(String(chunk)) > 0);
});
afterEach(() => {
  jest.restoreAllMocks();
});

/** A service that is ready when the test says so. */
function announcer(state: { ready: boolean; shown: number }): ServiceSchema {
  return {
    name: "announcer",
    methods: { ready: () => state.ready },
    created() {
      announce(this, { lines: () => [["secret", "abc"]], shown: async () => void state.shown++ });
    },
  };
}
interface Started {
  readonly worker?: number;
  readonly logger?: boolean;
}
async function start(state: { ready: boolean; shown: number }, { worker, logger = true }: Started = {}) {
  const broker = new ServiceBroker({
    ...brokerOptions(readEnvironment({})),
    ...(logger ? { logger: { type: "Console", options: { level: "fatal" } } } : { logger: false }),
  });
  // After the transporter was chosen: a worker's transporter would listen to its supervisor, which here is the test
  // runner.
  if (worker !== undefined) Object.assign(broker.options, { valence: readEnvironment({ WORKER: `${worker}` }) });
  broker.createService(announcer(state));
  await broker.start();
  return broker;
}
const moment = () => new Promise(resolve => setTimeout(resolve, 100));

test("announcements are printed once, when all services are ready, and recorded as shown", async () => {
  const state = { ready: false, shown: 0 };
  const broker = await start(state);
  await moment();
  expect([written, state.shown]).toEqual([[], 0]);
  state.ready = true;
  await moment();
  await broker.stop();
  expect([written, state.shown]).toEqual([["\nReady.\n  secret     abc\n\n"], 1]);
});

test("a stop does not wait for a service that is not ready, and nothing counts as shown", async () => {
  const state = { ready: false, shown: 0 };
  const broker = await start(state);
  await broker.stop();
  expect([written, state.shown]).toEqual([[], 0]);
});

test("only the first of several workers prints", async () => {
  const state = { ready: true, shown: 0 };
  const broker = await start(state, { worker: 2 });
  await broker.stop();
  expect([written, state.shown]).toEqual([[], 0]);
});

test("a broker without a logger writes nothing", async () => {
  const state = { ready: true, shown: 0 };
  const broker = await start(state, { logger: false });
  await broker.stop();
  expect([written, state.shown]).toEqual([[], 1]);
});
