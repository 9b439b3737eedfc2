// How a service's database stands, for operators: whether it answers, how fast, and whether callers wait for a connection.
import { statSync } from "node:fs";
import type { DependencyState } from "../kernel/index.ts";
import type { ReplicaObserver } from "./dialects/postgres/replica.ts";
import type { Database } from "./database.ts";
import type { DatabaseLocation } from "./location.ts";
import { readPostgresUrl } from "./postgres-url.ts";

const limits = {
  /** Milliseconds of a statement that does nothing, the wait for a connection included. */
  slowMs: 250,
  /** Bytes of the WAL of a SQLite file: the doctor's limit, past the size at which the store empties it. */
  walBytes: 300 * 1024 ** 2,
};

/** Connections of one pool at a moment. */
export interface PoolUse {
  readonly used: number;
  readonly waiting: number;
  readonly size: number;
}

/** The part of tarn's pool that counts. */
interface Counted {
  numUsed(): number;
  numPendingAcquires(): number;
  readonly max: number;
}

/** Asks for the service's own tables. */
export function tablesState({ knex }: Database, location: DatabaseLocation): Promise<DependencyState> {
  const pool = knex.client.pool as Counted;
  // Counted before our own statement takes one.
  const use = { used: pool.numUsed(), waiting: pool.numPendingAcquires(), size: pool.max };
  const place = location.kind === "sqlite" ? location.filename : placesOf(location.shards);
  return answerState(place, use, () => knex.raw("select 1"), filesOf(location));
}

/** Times the answer of `ask`. */
export async function answerState(
  place: string,
  { used, waiting, size }: PoolUse,
  ask: () => Promise<unknown>,
  { databaseBytes, walBytes }: Files = {},
): Promise<DependencyState> {
  const began = performance.now();
  await ask();
  const latencyMs = Math.round((performance.now() - began) * 10) / 10;
  const message = `${place} answers in ${latencyMs} ms; ${used} of ${size} connections in use, ${waiting} calls wait for one`;
  const figures = {
    latencyMs,
    used,
    waiting,
    size,
    ...(walBytes !== undefined && { databaseBytes: databaseBytes!, walBytes }),
  };
  if (waiting > 0)
    return { status: "warn", message, advice: "raise DATABASE_POOL_SIZE, or find the slow statements", figures };
  if (latencyMs > limits.slowMs)
    return {
      status: "warn",
      message,
      advice: "is its machine busy, or far away? `npx valence doctor` looks into it",
      figures,
    };
  if (walBytes !== undefined && walBytes > limits.walBytes)
    return {
      status: "warn",
      message: `${message}; its WAL has ${Math.round(walBytes / 1_048_576)} MB`,
      advice: "a reader that never ends keeps it from being emptied: find the process that has the file open",
      figures,
    };
  return { status: "ok", message, figures };
}

interface Files {
  readonly databaseBytes?: number;
  readonly walBytes?: number;
}

function filesOf(location: DatabaseLocation): Files {
  if (location.kind !== "sqlite") return {};
  const bytesOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return { databaseBytes: bytesOf(location.filename), walBytes: bytesOf(`${location.filename}-wal`) };
}

const placesOf = (urls: readonly string[]): string => urls.map(url => readPostgresUrl(url).place).join(", ");

/** Keeps what the last look at the standby has found: it is looked at five times a second anyway. */
export class ReplicaHealth {
  #lagMs: number | undefined;

  readonly #observe: ReplicaObserver | undefined;

  constructor(observe?: ReplicaObserver) {
    this.#observe = observe;
  }

  readonly observe: ReplicaObserver = lagMs => {
    this.#lagMs = lagMs;
    this.#observe?.(lagMs);
  };

  state(): DependencyState {
    const lagMs = this.#lagMs;
    if (lagMs === undefined || !Number.isFinite(lagMs))
      return {
        status: "warn",
        message: "it is not read: away, no standby of this primary, or it has not caught up yet",
        advice: "`npx valence doctor` says which; reads go to the primary meanwhile",
      };
    const message = `it is ${Math.round(lagMs)} ms behind`;
    return { status: "ok", message, figures: { lagMs: Math.round(lagMs) } };
  }
}
