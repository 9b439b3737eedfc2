// Some services of the shop on one broker in this process, on databases of their own.
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { brokerOptions } from "@valence/runtime/broker";
import { readEnvironment } from "@valence/runtime/kernel";
import { typedCall, type Call } from "@valence/runtime/contract";
import { newDatabases } from "../../mixins/testing/databases.ts";

export interface Embedded {
  readonly broker: ServiceBroker;
  readonly call: Call;
  /** Stops the broker and removes what it wrote. */
  stop(): Promise<void>;
}

/** Starts a broker with these services; `env` as in the process's environment. */
export async function startEmbedded(
  services: readonly ServiceSchema[],
  env: Readonly<Record<string, string>> = {},
): Promise<Embedded> {
  const databases = await newDatabases();
  const broker = new ServiceBroker({
    ...brokerOptions(readEnvironment({ ...databases.env, ...env })),
    logger: false,
  });
  for (const schema of services) broker.createService(schema);
  await broker.start();
  return {
    broker,
    call: typedCall(broker),
    async stop() {
      await broker.stop();
      await databases.remove();
    },
  };
}
