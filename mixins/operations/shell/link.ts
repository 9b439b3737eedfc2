// The way from a terminal to the running services.
import type { ServiceBroker } from "moleculer";
import type { Names } from "./completion.ts";

export interface Link {
  /** Where it leads, for the operator: `joined node-4711, process 4711 of this machine, as os:ann`. */
  readonly about: string;
  call(action: string, params: object): Promise<unknown>;
  /** The parts of a broker that Moleculer's own commands use. A list of its registry may not be at hand: see `Needed`. */
  readonly broker: Partial<ServiceBroker>;
  /** Moleculer's commands that make sense over this link; undefined for all. */
  readonly commands?: readonly string[];
  names(): Promise<Names>;
  /** Settles with the reason when the other side goes away. */
  readonly ended: Promise<string>;
  close(): Promise<void>;
}

/** Thrown in place of a list that has to be fetched: the command is run again once it is there. */
export class Needed extends Error {
  readonly fetch: () => Promise<void>;
  constructor(fetch: () => Promise<void>) {
    super("a list of the registry is fetched");
    this.fetch = fetch;
  }
}
