// A process that appends as fast as it can, for the tests that kill it or set several on one file.
//   node load.fixture.ts <file> <name> <callers> <milliseconds, 0 = until killed>
// Says `ready`, waits for a line on stdin, then writes `ack <stream> <version>` for each acknowledged append,
// `failed <stream> <outcome>` for each that failed, and at the end `longest <ms> <ms>`, the longest that an append waited and the mean.
import { writeSync } from "node:fs";
import { once } from "node:events";
import { outcomeOf } from "../../../kernel/index.ts";
import type { Append, Verdict } from "../../event-store.ts";
import { openEventStore } from "../../open.ts";

const [filename, name, callers, forMs] = process.argv.slice(2) as [string, string, string, string];
const STREAMS = 50;

const store = await openEventStore({ kind: "sqlite", filename });
say("ready");
await once(process.stdin, "data");
const startedAt = performance.now();
const goesOn = () => forMs === "0" || performance.now() - startedAt < Number(forMs);
let [longest, sum, count] = [0, 0, 0];

/**
 * Written at once, so that a kill loses no acknowledgement. A pipe whose reader has fallen behind is full, and refuses a line
 * of this size whole: it is written again once there is room.
 */
function say(line: string): void {
  for (;;)
    try {
      return void writeSync(1, `${line}\n`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
}

const verdictOf = (append: Append) => new Promise<Verdict>(resolve => store.append(append, resolve));
function lineOf({ stream }: Append, verdict: Verdict): string {
  if (verdict.kind === "ok") return `ack ${stream} ${verdict.version}`;
  if (verdict.kind === "duplicate") return `duplicate ${stream} ${verdict.first.version}`;
  return `${verdict.kind} ${stream} ${verdict.kind === "failed" ? outcomeOf(verdict.error) : ""}`;
}

/** Two events an append, so that a torn one would show. What fails is repeated under its command id while there is time. */
async function caller(n: number): Promise<void> {
  const event = { type: "thing.done", schemaVersion: 1, data: "{}" };
  // At least one each: on a busy machine the time may be up before the first.
  for (let i = 0; i === 0 || goesOn(); i++) {
    const append: Append = {
      stream: `${name}.${n}-${i % STREAMS}`,
      expectedVersion: Math.floor(i / STREAMS) * 2,
      commandId: `${name}-${n}-${i}`,
      kind: "do",
      fingerprint: "",
      events: [event, event],
      metadata: "{}",
      answer: null,
    };
    for (let failed = true; failed;) {
      const sentAt = performance.now();
      const verdict = await verdictOf(append);
      const waitedMs = performance.now() - sentAt;
      longest = Math.max(longest, waitedMs);
      sum += waitedMs;
      count++;
      say(lineOf(append, verdict));
      failed = verdict.kind === "failed" && goesOn();
    }
  }
}
await Promise.all(Array.from({ length: Number(callers) }, (_, n) => caller(n)));
say(`longest ${longest.toFixed(1)} ${(sum / count).toFixed(1)}`);
await store.close();
process.exit();
