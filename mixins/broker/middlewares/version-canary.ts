// Tries the next version of a service with some of its actors. Calls of a service go over the bus by name, so no proxy between
// nodes can divide them by weight: the caller does, before Moleculer looks for a node.
//
//     middlewares: [...options.middlewares, versionCanary({ service: "loans", version: 2, percent: 10 })]
//
// An actor's calls all go to one version, chosen by the hash of its id, and an actor that is in ten percent is in twenty as well. Both
// versions have one event store, which lets one writer of a stream through: while nodes disagree on the percentage, calls are
// slower and never wrong.
import type { CallingOptions, ServiceBroker } from "moleculer";
import { fnv1a } from "../../kernel/index.ts";

export interface VersionCanary {
  readonly service: string;
  /** The version that is tried, as in `version` of its schema. */
  readonly version: number;
  /** Its share of the actors, from 0 to 100. */
  readonly percent: number;
}
type CallNext = (action: string, params?: unknown, options?: CallingOptions) => Promise<unknown>;

/**
 * A middleware for the broker's options: calls of the service that name an actor go to the version for its share of the actors.
 * While no node runs the version, all go to the service as it is. Throws RangeError for a percentage out of bounds.
 */
export function versionCanary({ service, version, percent }: VersionCanary) {
  if (!(percent >= 0 && percent <= 100)) throw new RangeError(`percent: ${percent} is not between 0 and 100`);
  const prefix = `${service}.`;
  return {
    name: "VersionCanary",
    call(this: ServiceBroker, next: CallNext): CallNext {
      const { registry } = this;
      return (action, params, options) => {
        if (!action.startsWith(prefix) || !isTried(params, percent)) return next(action, params, options);
        const tried = `v${version}.${action}`;
        return next(registry.actions.isAvailable(tried) ? tried : action, params, options);
      };
    },
  };
}

function isTried(params: unknown, percent: number): boolean {
  const id = (params as { id?: unknown } | null | undefined)?.id;
  return typeof id === "string" && (fnv1a(id) >>> 0) % 100 < percent;
}
