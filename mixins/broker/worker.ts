// A worker's word to its supervisor: its services are there. Without a supervisor there is nobody to tell.
import type { FromWorker } from "../kernel/index.ts";

export const worker = {
  name: "Worker",
  async started(): Promise<void> {
    process.send?.({ started: true } satisfies FromWorker);
  },
};
