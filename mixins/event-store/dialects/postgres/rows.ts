// Shared by the reads of a store: how they run, and how their rows are decoded.
import { rfc3339 } from "../../../kernel/index.ts";
import type { StoredEvent } from "../../event-store.ts";

/** Runs a read; rejects with Unavailable. */
export type Read = <R = any>(text: string, values?: unknown[]) => Promise<R[]>;

export interface EventRow {
  position: number;
  version: number;
  type: string;
  schema_version: number;
  data: string;
  metadata: string;
  recorded_at: number;
  name?: string;
}

export function eventOf(stream: string, row: EventRow): StoredEvent {
  const { position, version, type, schema_version: schemaVersion, data, metadata, recorded_at } = row;
  return { position, stream, version, type, schemaVersion, data, metadata, at: rfc3339(recorded_at) };
}
