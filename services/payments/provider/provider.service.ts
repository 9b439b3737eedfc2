import { once } from "node:events";
import { join, resolve } from "node:path";
import { Worker } from "node:worker_threads";
import { listensAt, makePrivate } from "@valence/runtime/kernel";
import type { ServiceBroker } from "moleculer";
import { defineService } from "@valence/runtime/contract";
import { databaseEnvironment, locationOf } from "@valence/runtime/database";
import { closeWithBroker } from "@valence/runtime/database/mixin";
import { gatewayEnvironment } from "@valence/runtime/gateway";
import { paymentsEnvironment } from "../environment.ts";
import { paymentErrors } from "../errors.ts";
import { contract } from "./contract.ts";
import type { ProviderOptions } from "./provider.ts";

/**
 * Starts the bundled provider beside the shop, in a thread of its own: its fsyncs must not stall the broker. With
 * PAYMENT_PROVIDER_URL set nothing is started, and `url` answers that URL.
 */
export default defineService(contract, {
  actions: {
    url() {
      return { url: this.url as string, ...(this.secret !== undefined && { webhookSecret: this.secret as string }) };
    },
  },
  async started() {
    this.url = paymentsEnvironment.of(this.broker).PAYMENT_PROVIDER_URL ?? (await this.startBundled());
    listensAt(this, this.url);
  },
  methods: {
    async startBundled(): Promise<string> {
      const filename = ledgerFile(this.broker);
      makePrivate(filename);
      // When the system chooses the gateway's port, it is not known yet: then no webhook is sent, and payments ask, as
      // they do anyhow.
      const { PORT } = gatewayEnvironment.of(this.broker);
      const options: ProviderOptions = {
        filename,
        ...(PORT > 0 && { webhookUrl: `http://127.0.0.1:${PORT}/api/v1/payments/webhook` }),
      };
      const worker = new Worker(new URL("./server.ts", import.meta.url), { workerData: options });
      const exited = new Promise(resolve => worker.once("exit", resolve));
      const [{ url, webhookSecret }] = await once(worker, "message");
      this.secret = webhookSecret;
      worker.on("error", error =>
        this.logger.error(paymentErrors.PROVIDER_CRASHED({ reason: error.message, cause: error })),
      );
      // Stopped last: payments may ask until the last service has stopped.
      closeWithBroker(this.broker, async () => {
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
        worker.postMessage("close");
        await exited;
      });
      return url as string;
    },
  },
});

/** The ledger is among the shop's files; it is a file even when the shop is on Postgres. */
function ledgerFile(broker: ServiceBroker): string {
  const location = locationOf(broker, contract.service);
  const { DATA_DIR } = databaseEnvironment.of(broker);
  return resolve(location.kind === "sqlite" ? location.filename : join(DATA_DIR, `${contract.service}.sqlite`));
}
