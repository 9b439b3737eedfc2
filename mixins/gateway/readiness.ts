// `GET /health/ready`: whether a balancer should send requests to this gateway. Not ready are a gateway that starts (a
// service that a route needs has not been seen yet, or a service of this process says that it is not ready), one that
// drains, and one that is stuck. Ready are, although something is wrong:
//
//   - a gateway that was complete once and misses a service now: the routes of that service answer 503. If it were not
//     ready, all gateways would be so at once, and a balancer would send no client to the other routes
//   - a gateway with all places taken that still gives some back: otherwise a rush would take one gateway after another
//     from the balancer
//   - a gateway that hears of a stopped consumer: requests that do not need that consumer are served
import type { ServiceBroker } from "moleculer";
import { listedServices } from "../contract/index.ts";
import { unreadyServices } from "../kernel/index.ts";
import type { ConsumerStopped } from "../stream/index.ts";
import { limits } from "./limits.ts";

export interface ReadinessOptions {
  readonly broker: ServiceBroker;
  /** Full names of the services without which the gateway is not complete. */
  readonly needed: Iterable<string>;
}
interface State {
  readonly isDraining: boolean;
  readonly isFull: boolean;
  readonly isStuck: boolean;
}
export interface ReadinessAnswer {
  readonly status: "ready" | "starting" | "draining" | "stuck";
  /** Services that have not been there yet, or that are not ready. */
  readonly missing: readonly string[];
  /** Present when all places are taken. */
  readonly saturated?: true;
  /** Consumers that stand still: `<service>: <consumer> on <source>`. */
  readonly stopped?: readonly string[];
}

export class Readiness {
  readonly #broker: ServiceBroker;
  readonly #needed: ReadonlySet<string>;
  #isComplete = false;
  /** When each consumer last said that it stands still; monotonic milliseconds. */
  readonly #stopped = new Map<string, number>();

  constructor({ broker, needed }: ReadinessOptions) {
    this.#broker = broker;
    this.#needed = new Set(needed);
  }

  /** A consumer says that it stands still. It repeats that every few seconds, and is forgotten when it does not. */
  consumerStopped({ service, consumer, source }: ConsumerStopped): void {
    this.#stopped.set(`${service}: ${consumer} on ${source}`, performance.now());
  }

  /** Whether the gateway has ever been complete: from then on its start is over. */
  get isComplete(): boolean {
    if (!this.#isComplete)
      this.#isComplete = this.#missing().length === 0 && unreadyServices(this.#broker).length === 0;
    return this.#isComplete;
  }

  answer({ isDraining, isFull, isStuck }: State): ReadinessAnswer {
    const missing = [...this.#missing(), ...unreadyServices(this.#broker)];
    this.#isComplete ||= missing.length === 0;
    const stopped = this.#stoppedNow();
    return {
      status: isDraining ? "draining" : !this.#isComplete ? "starting" : isStuck ? "stuck" : "ready",
      missing,
      ...(isFull && { saturated: true as const }),
      ...(stopped.length > 0 && { stopped }),
    };
  }

  #missing(): string[] {
    const there = listedServices(this.#broker, { onlyAvailable: true }).map(({ fullName }) => fullName);
    return [...this.#needed.difference(new Set(there))];
  }

  #stoppedNow(): string[] {
    const since = performance.now() - limits.stoppedMs;
    for (const [name, at] of this.#stopped) if (at < since) this.#stopped.delete(name);
    return [...this.#stopped.keys()].sort();
  }
}
