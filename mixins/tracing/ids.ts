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

/** The id of a new trace, and its four words in one: the number by which the SDK samples a share of all traces. */
export interface NewTraceId {
  readonly id: string;
  readonly draw: number;
}

export function newTraceId(): NewTraceId {
  const id = random(TRACE_CHARS);
  const at = (used - TRACE_CHARS) / 2;
  const first = POOL.readUInt32BE(at) ^ POOL.readUInt32BE(at + 4);
  const second = POOL.readUInt32BE(at + 8) ^ POOL.readUInt32BE(at + 12);
  return { id, draw: (first ^ second) >>> 0 };
}

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
    const id = this.#next ?? newTraceId().id;
    this.#next = undefined;
    return id;
  }
}
