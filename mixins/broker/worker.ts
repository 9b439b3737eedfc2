// A worker tells its supervisor that its services have started. Without a supervisor it does nothing.
import type { FromWorker } from "../kernel/index.ts";

export const worker = {
  name: "Worker",
  async started(): Promise<void> {
    process.send?.({ started: true } satisfies FromWorker);
  },
};
