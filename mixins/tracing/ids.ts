// Ids of traces and spans. Asked of the random source one at a time they cost more than the rest of a span.
import { randomFillSync } from "node:crypto";
import type { IdGenerator } from "@opentelemetry/sdk-trace";

const TRACE_CHARS = 32;
const SPAN_CHARS = 16;
const POOL = Buffer.allocUnsafe(8_192);
let hex = "";
let used = 0;

function random(chars: number): string {
  if (used + chars > hex.length) {
    hex = randomFillSync(POOL).toString("hex");
    used = 0;
  }
  return hex.slice(used, (used += chars));
}

export const newTraceId = (): string => random(TRACE_CHARS);
export const newSpanId = (): string => random(SPAN_CHARS);

/** Gives the SDK the id by which it was decided that a trace is kept: it would draw another one. */
export class TraceIds implements IdGenerator {
  #next: string | undefined;
  readonly generateSpanId = newSpanId;

  /** The id of the next trace that the SDK begins. */
  announce(id: string): void {
    this.#next = id;
  }
  generateTraceId(): string {
    const id = this.#next ?? newTraceId();
    this.#next = undefined;
    return id;
  }
}
