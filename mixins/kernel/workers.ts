// Messages between the supervisor of one machine's workers and a worker, over the channel between parent and child.

/** A worker's address for the others. */
export interface Peer {
  readonly nodeId: string;
  /** TCP, on the loopback interface. */
  readonly port: number;
}
/** Message with another worker's address, or without one when that worker is gone. */
export type FromSupervisor = { readonly peer: Peer } | { readonly gone: string };
/** Message that a worker can be reached and that its services are there. */
export type FromWorker = { readonly listening: Peer } | { readonly started: true };
