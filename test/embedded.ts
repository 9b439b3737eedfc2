// Some services of the shop on one broker in this process, on a folder of their own.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ServiceBroker, type ServiceSchema } from "moleculer";
import { brokerOptions } from "../broker/index.ts";
import { readEnvironment } from "../mixins/kernel/index.ts";
import { typedCall, type Call } from "../mixins/contract/index.ts";

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
  const folder = await mkdtemp(join(tmpdir(), "shop-"));
  const broker = new ServiceBroker({
    ...brokerOptions(readEnvironment({ DATA_DIR: folder, ...env })),
    logger: false,
  });
  for (const schema of services) broker.createService(schema);
  await broker.start();
  return {
    broker,
    call: typedCall(broker),
    async stop() {
      await broker.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
