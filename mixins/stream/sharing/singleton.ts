// Work that one node of a service does at a time, such as publishing its log. The holder of the lease does it; each kind of work of each service has a lease of its own, so the work spreads over the nodes. Like every
// lease it only saves work: the effects of a paused holder are guarded where they are written.
import type { Service } from "moleculer";
import { Lease } from "./lease.ts";
import { STREAM_LIMITS, type StreamLimits } from "../limits.ts";
import { streamTables } from "../tables.ts";

export interface Singleton {
  /** Whether this node is to do the work now. */
  holds(): Promise<boolean>;
  /** Leaves it to another node at once. */
  release(): Promise<void>;
}

/** A broker without a transporter is the only node: it holds every lease without asking the database. */
const ALONE: Singleton = { holds: async () => true, release: async () => {} };

/** The lease of this work, in the service's own database. */
export async function singletonOf(
  service: Service,
  work: string,
  limits: Pick<StreamLimits, "leaseMs" | "lookMs"> = STREAM_LIMITS,
): Promise<Singleton> {
  if (!service.broker.transit) return ALONE;
  const lease = new Lease(await streamTables(service), `singleton/${work}`, limits.leaseMs);
  let lookAt = -Infinity;
  return {
    async holds() {
      const now = performance.now();
      if (now < lookAt) return false;
      const holds = await lease.hold();
      if (!holds) lookAt = now + limits.lookMs;
      return holds;
    },
    release: () => lease.release(),
  };
}
