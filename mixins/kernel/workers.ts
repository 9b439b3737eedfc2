// Messages between the supervisor of one machine's workers and a worker, over the channel between parent and child.

/** A worker's address for the others. */
export interface Peer {
  readonly nodeId: string;
  /** TCP, on the loopback interface. */
  readonly port: number;
}
/**
 * Another worker's address, or that it is gone; the request for the worker's metrics; and those of all workers, for the one
 * that asked.
 */
export type FromSupervisor =
  | { readonly peer: Peer }
  | { readonly gone: string }
  | { readonly tellMetrics: number }
  | { readonly allMetrics: number; readonly families: readonly unknown[] };
/**
 * That a worker can be reached, and that its services are there; its metrics, under the number of the request; and the
 * request for those of all workers, under a number of its own.
 */
export type FromWorker =
  | { readonly listening: Peer }
  | { readonly started: true }
  | { readonly metrics: number; readonly families: readonly unknown[] }
  | { readonly wantsMetrics: number };
