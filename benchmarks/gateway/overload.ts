// Overload: what is left of a gateway's answers when more requests come than it can bear. At half, once, twice and three
// times its capacity, in an open loop, for our gateway, for the same without its queue, and for moleculer-web alone.
//
//   node benchmarks/gateway/overload.ts [--seconds 10] [--sockets 3000]
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { option, report, rounded } from "../harness.ts";
import { alsoEnd, endAll } from "../started.ts";
import type { LoadResult } from "./overload-clients.ts";

const SECONDS = option("seconds", 10);
const SOCKETS = option("sockets", 3_000);
const LOADS = [0.5, 1, 2, 3];
/** No run of this benchmark takes longer in seconds. */
const TIMEOUT_S = 60 + 3 * LOADS.length * (SECONDS + 15);

async function start(file: string, argument: string): Promise<{ child: ChildProcess; ready: any }> {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = spawn(process.execPath, [path, argument], {
    env: { ...process.env, NODE_ENV: "production" },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  alsoEnd(child);
  for (;;) {
    const [{ ready }] = (await once(child, "message")) as [{ ready?: unknown }];
    if (ready !== undefined) return { child, ready };
  }
}

async function order<R>(child: ChildProcess, message: object): Promise<R> {
  child.send(message);
  const [{ result }] = (await once(child, "message")) as [{ result: R }];
  return result;
}

const timer = setTimeout(() => {
  endAll();
  throw new Error(`not done in ${TIMEOUT_S} s`);
}, TIMEOUT_S * 1_000);
process.once("SIGINT", endAll).once("SIGTERM", endAll);

const rows: Record<string, unknown>[] = [];
const kinds = process.argv.includes("--only-ours") ? ["ours"] : ["ours", "plain", "bare"];
for (const kind of kinds) {
  // A server that has collapsed answers for long after: each load gets a server of its own.
  for (const load of LOADS) {
    const { child: server, ready } = await start("overload-server.ts", kind);
    const { child: clients } = await start("overload-clients.ts", JSON.stringify({ ...ready, sockets: SOCKETS }));
    // The first runs compile; what a server bears is measured before any overload.
    await order(clients, { seconds: 2 });
    const capacity = await order<number>(clients, { seconds: 3 });
    const cpuBefore = await order<number>(server, {});
    const result = await order<LoadResult>(clients, { perSecond: load * capacity, seconds: SECONDS });
    const cpuSeconds = (await order<number>(server, {})) - cpuBefore;
    const [pay, read, search] = result.okShare.map(share => `${rounded(100 * share, 1)} %`);
    rows.push({
      server: kind,
      load: `${load} ×`,
      "offered/s": Math.round(result.offered),
      "good/s": Math.round(result.goodPerSecond),
      "good/cpu s": Math.round((result.goodPerSecond * SECONDS) / cpuSeconds),
      "of capacity": rounded(result.goodPerSecond / capacity, 2),
      "p50 ms": rounded(result.p50Ms, 1),
      "p99 ms": rounded(result.p99Ms, 1),
      "critical ok": pay,
      "normal ok": read,
      "bulk ok": search,
      "health ok": `${rounded(100 * result.health.okShare, 1)} %`,
      "health p99 ms": rounded(result.health.p99Ms, 1),
      statuses: JSON.stringify(result.statuses),
    });
    for (const child of [clients, server]) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
  }
}
clearTimeout(timer);
await report("overload", rows, { seconds: SECONDS, sockets: SOCKETS });
