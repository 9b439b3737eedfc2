// Over a wire, as between two nodes.
import { afterEach, expect, test } from "@jest/globals";
import { ServiceBroker } from "moleculer";
import { readEnvironment, Refusal } from "../kernel/index.ts";
import { brokerOptions } from "./index.ts";

const brokers: ServiceBroker[] = [];
afterEach(async () => {
  for (const broker of brokers.splice(0)) await broker.stop();
});

const cyclic: Record<string, unknown> = {};
cyclic["self"] = cyclic;
const getter = {
  get() {
    throw new Error("a getter");
  },
};
const thrown: Record<string, () => unknown> = {
  "an error whose message throws": () => Object.defineProperty(new Error(), "message", getter),
  "an error whose type throws": () => Object.defineProperty(new Error("odd"), "type", getter),
  "an error with a cycle": () => Object.assign(new Error("odd"), { data: cyclic }),
  "an error with a BigInt": () => Object.assign(new Error("odd"), { data: { n: 1n } }),
  nothing: () => undefined,
  "a symbol": () => Symbol("odd"),
  "an object without prototype": () => Object.create(null),
};

async function pair(): Promise<ServiceBroker> {
  const [here, there] = ["here", "there"].map(
    nodeID =>
      new ServiceBroker({
        ...brokerOptions(readEnvironment({ NODEID: nodeID })),
        transporter: "Fake",
        namespace: "regenerator",
        logger: false,
        skipProcessEventRegistration: true,
      }),
  ) as [ServiceBroker, ServiceBroker];
  brokers.push(here, there);
  there.createService({
    name: "odd",
    actions: {
      throws: {
        handler({ params }: { params: { what: string } }) {
          throw thrown[params.what]!();
        },
      },
      refuses() {
        throw new Refusal("TEAPOT", { field: "cup" });
      },
    },
  });
  await Promise.all([here.start(), there.start()]);
  await here.waitForServices("odd");
  return here;
}

test("any value that an action throws reaches the caller at once", async () => {
  const broker = await pair();
  for (const what of Object.keys(thrown)) {
    const began = performance.now();
    await expect(broker.call("odd.throws", { what }, { timeout: 2_000 })).rejects.toBeInstanceOf(Error);
    expect([what, performance.now() - began < 1_000]).toEqual([what, true]);
  }
});

test("a refusal arrives as one, with its field", async () => {
  const broker = await pair();
  const refused = broker.call("odd.refuses", {});
  await expect(refused).rejects.toBeInstanceOf(Refusal);
  await expect(refused).rejects.toMatchObject({ type: "TEAPOT", data: { errors: [{ field: "cup" }] } });
});
