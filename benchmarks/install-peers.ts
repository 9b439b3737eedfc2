// Installs the programs that ours is measured beside.
import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Started } from "./started.ts";

export const PEERS = new URL("peers/", import.meta.url);

/**
 * The peers are no dependencies of ours: they are installed before their first run, and again when their lock file has
 * changed.
 */
export async function installPeers(): Promise<void> {
  const installed = new URL("node_modules/.package-lock.json", PEERS);
  const lock = new URL("package-lock.json", PEERS);
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  console.log("installing the peers: npm ci --prefix benchmarks/peers");
  await new Started("npm", ["ci", "--prefix", fileURLToPath(PEERS), "--ignore-scripts", "--no-audit"]).ended();
}
