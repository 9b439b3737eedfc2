// Leases, timers and times of events depend on the server's clock, tokens and deadlines on this machine's.
import { duration, ok, warn, type Result } from "../../finding.ts";
import { limits } from "../../limits.ts";
import type { Connection } from "./connection.ts";

const SAMPLES = 5;

export async function clockOf(connection: Connection): Promise<readonly Result[]> {
  // The quickest answer is the most exact: it gives the difference to half of the time that it took.
  let best = { tookMs: Infinity, skewMs: 0 };
  await connection.read(async ask => {
    for (let i = 0; i < SAMPLES; i++) {
      const began = performance.now();
      const [{ now }] = await ask("select extract(epoch from clock_timestamp()) * 1000 as now");
      const tookMs = performance.now() - began;
      if (tookMs < best.tookMs) best = { tookMs, skewMs: now - (Date.now() - tookMs / 2) };
    }
  });
  const message = `the server is ${duration(Math.abs(best.skewMs))} ${best.skewMs < 0 ? "behind" : "ahead"}, ± ${duration(best.tookMs / 2)}`;
  const isNear = Math.abs(best.skewMs) - best.tookMs / 2 <= limits.clockMs;
  return [isNear ? ok("clock", message) : warn("clock", message, "set both by NTP")];
}
