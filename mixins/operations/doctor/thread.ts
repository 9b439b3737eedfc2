// The thread of a node's examination: SQLite's checks read whole files, and would hold up the calls of the node.
import { parentPort, workerData } from "node:worker_threads";
import { readEnvironment } from "../../kernel/index.ts";
import { examine } from "./examination.ts";

/** What the thread is told. */
export interface Errand {
  /** The variables of the node. */
  readonly variables: Readonly<Record<string, string>>;
  readonly folder: string;
  readonly services: readonly string[];
}

const port = parentPort!;
const { variables, folder, services } = workerData as Errand;
await examine(
  readEnvironment(variables),
  { folder, all: services },
  {
    isRunning: true,
    isProduction: variables["NODE_ENV"] === "production",
    onFinding: finding => port.postMessage(finding),
  },
);
