import { once } from "node:events";
import { join, resolve } from "node:path";
import { Worker } from "node:worker_threads";
import { Bug, environmentOf, makePrivate, type Environment } from "../../../mixins/kernel/index.ts";
import { defineService } from "../../../mixins/contract/index.ts";
import { closeWithBroker } from "../../../mixins/database/mixin.ts";
import { contract } from "./contract.ts";
import type { ProviderOptions } from "./provider.ts";

/**
 * Starts the bundled provider beside the shop, in a thread of its own: its fsyncs must not stall the broker. With
 * PAYMENT_PROVIDER_URL set there is nothing to start, and `url` answers that URL.
 */
export default defineService(contract, {
  actions: {
    url() {
      return { url: this.url as string };
    },
  },
  async started() {
    const environment = environmentOf(this.broker);
    this.url = environment.paymentProviderUrl ?? (await this.startBundled(ledgerFile(environment)));
  },
  methods: {
    async startBundled(filename: string): Promise<string> {
      makePrivate(filename);
      const options: ProviderOptions = { filename };
      const worker = new Worker(new URL("./server.ts", import.meta.url), { workerData: options });
      const exited = new Promise(resolve => worker.once("exit", resolve));
      const [url] = await once(worker, "message");
      worker.on("error", error => this.logger.error(new Bug("PROVIDER_CRASHED", error.message, { cause: error })));
      // Payments may ask until the last service has stopped.
      closeWithBroker(this.broker, async () => {
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
        worker.postMessage("close");
        await exited;
      });
      return url as string;
    },
  },
});

/** Among the shop's files, wherever those are; its own book is a file also where the shop's are on Postgres. */
function ledgerFile({ databaseOf, dataDir }: Environment): string {
  const location = databaseOf(contract.service);
  return resolve(location.kind === "sqlite" ? location.filename : join(dataDir, `${contract.service}.sqlite`));
}
