// Where an ingress stands, whichever nodes read it: from its rows, and from what its topic has.
import type { DependencyState } from "../../kernel/index.ts";
import type { Database } from "../../database/index.ts";
import { consumerState, failedStreams, streamsIn, type ConsumerStatus } from "../consumer/status.ts";
import { STREAM_LIMITS } from "../limits.ts";
import type { Extent } from "./inlets/inlet.ts";
import type { IngressReader } from "./ingress-reader.ts";
import { pausesIn, type Pausing } from "./pause.ts";
import type { PlaceRow } from "./places.ts";

export interface IngressStatus extends ConsumerStatus {
  /** `kafka:printer.deliveries`; null for one that is off. */
  readonly from: string | null;
  readonly paused?: Pausing;
  /** Why the bus cannot be read from this node. */
  readonly problem?: string;
}

const NOTHING = { lagEvents: 0, lagMs: 0, events: 0, parkedStreams: 0, retryingStreams: 0, sources: [] };

/** One whose bus is not configured. */
export const offStatus = (name: string): IngressStatus => ({ ...NOTHING, name, state: "off", from: null });

export async function statusOf(database: Database, reader: IngressReader, failedMax: number): Promise<IngressStatus> {
  const { knex } = database;
  const { ingress, inlet } = reader;
  const { name } = ingress;
  const [extents, rows, failed, pauses, now] = await Promise.all([
    within(STREAM_LIMITS.statusReadMs, inlet.extents()).catch((error: unknown) => error as Error),
    knex("ingress_places").where({ ingress: name, source: inlet.source }) as Promise<PlaceRow[]>,
    failedStreams(knex, name),
    pausesIn(database),
    database.now(),
  ]);
  const paused = pauses.get(name);
  const problem = extents instanceof Error ? extents.message : reader.problem;
  const lag = extents instanceof Error ? null : lagOf(extents, rows);
  const newest = rows
    .map(row => row.message_at ?? "")
    .sort()
    .at(-1);
  const isFull = streamsIn(failed) >= failedMax;
  return {
    name,
    from: inlet.source,
    state: paused ? "paused" : isFull ? "full" : reader.state === "paused" ? "waiting" : reader.state,
    ...(paused && { paused }),
    ...(problem !== undefined && { problem }),
    lagEvents: lag,
    lagMs: lag === 0 || !newest ? 0 : Math.max(0, now - Date.parse(newest)),
    events: rows.reduce((sum, row) => sum + Number(row.messages), 0),
    parkedStreams: streamsIn(failed.filter(({ state }) => state === "parked")),
    retryingStreams: streamsIn(failed.filter(({ state }) => state === "retrying")),
    sources: [inlet.source],
  };
}

/** A bus that is silent is one that cannot be read. */
async function within<T>(ms: number, answer: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`the bus has not answered within ${ms} ms`)), ms);
  try {
    return await Promise.race([answer, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Messages after the places. A partition without a row has not been begun. */
function lagOf(extents: ReadonlyMap<number, Extent>, rows: readonly PlaceRow[]): number {
  const byPartition = new Map(rows.map(row => [row.partition, row]));
  return [...extents].reduce((sum, [partition, { origin, first, end }]) => {
    const row = byPartition.get(partition);
    const place = row && row.origin === origin ? BigInt(row.place) : first;
    return sum + Number(end - (place > first ? place : first));
  }, 0);
}

/** How it stands, for operators. */
export function ingressState(status: IngressStatus, buses: string): DependencyState {
  const { state, problem, paused } = status;
  if (state === "off") return { status: "ok", message: `off: ${buses} is not set` };
  if (problem !== undefined)
    return {
      status: "FAIL",
      message: `nothing is read: ${problem}`,
      advice: "does the bus run, and may this node read there?",
    };
  if (paused)
    return {
      status: "warn",
      message: `paused since ${paused.at}${paused.note === null ? "" : `: ${paused.note}`}`,
      advice: "resume it once the cause is mended",
    };
  return consumerState(status);
}
