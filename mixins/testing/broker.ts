// Brokers with the runtime's options, in this process, on databases of their own. They stop by themselves when the test
// file ends; a test that needs it earlier calls `stop`.
import { ServiceBroker, type BrokerOptions, type ServiceSchema } from "moleculer";
import { brokerOptions } from "../broker/index.ts";
import { typedCall, type Call } from "../contract/index.ts";
import { readEnvironment } from "../kernel/index.ts";
import { atEndOfFile } from "./clean-up.ts";
import { newDatabases, type Databases } from "./databases.ts";

export { metricOf } from "./metric.ts";

export interface TestBroker {
  readonly broker: ServiceBroker;
  /** Typed by the contracts: `call("loans.get", { id })`. */
  readonly call: Call;
  /** Stops the broker and removes what it wrote. */
  readonly stop: () => Promise<void>;
}

/** Starts one broker with these services. `env` is added to the environment: `{ REDIS_URL: server.url }`. */
export async function startBroker(
  services: readonly ServiceSchema[],
  env: Readonly<Record<string, string>> = {},
): Promise<TestBroker> {
  const brokers = await newBrokers(env);
  const broker = await brokers.start(...services);
  return { broker, call: typedCall(broker), stop: brokers.stop };
}

export interface TestBrokers {
  readonly databases: Databases;
  /** Environment of the brokers that are started next. */
  readonly variables: Record<string, string>;
  /** Broker options of the brokers that are started next, besides the runtime's. */
  readonly options: Partial<BrokerOptions>;
  /** Starts a node of its own, `node-1`, `node-2`, …, with these services. */
  readonly start: (...schemas: ServiceSchema[]) => Promise<ServiceBroker>;
  /** Stops all and removes what they wrote. */
  readonly stop: () => Promise<void>;
}

/**
 * Brokers that share databases, as the nodes of one installation do; they see each other if `env` names a NATS server.
 */
export async function newBrokers(env: Readonly<Record<string, string>> = {}): Promise<TestBrokers> {
  const databases = await newDatabases();
  const running = new Set<ServiceBroker>();
  let nodes = 0;
  const variables: Record<string, string> = { ...databases.env, ...env };
  const options: Partial<BrokerOptions> = {};
  return {
    databases,
    variables,
    options,
    async start(...schemas) {
      const environment = readEnvironment({ NODEID: `node-${++nodes}`, ...variables });
      const broker = new ServiceBroker({ ...brokerOptions(environment), logger: false, ...options });
      running.add(broker);
      // A test may stop one by itself, like a node that leaves.
      broker.localBus.once("$broker.stopped", () => running.delete(broker));
      for (const schema of schemas) broker.createService(schema);
      await broker.start();
      return broker;
    },
    stop: atEndOfFile(async () => {
      await Promise.all([...running].map(broker => broker.stop()));
      await databases.remove();
    }),
  };
}
