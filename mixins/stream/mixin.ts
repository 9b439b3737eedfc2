// The mixin of a service that reacts to the events of other services.
import type { Service, ServiceSchema } from "moleculer";
import { consumersOf, stopsConsumersFirst } from "./consumer/consumers.ts";
import { Consuming } from "./consumer/consuming.ts";
import type { Reactor } from "./consumer/define-reactor.ts";
import { consumerOf } from "./consumer/reactor.ts";

export { Outbounds } from "./outbound/outbounds.ts";
export { Ingresses } from "./ingress/mixin.ts";

/**
 * Runs reactors: `mixins: [Reactors(WelcomeBonus)]`. Each starts at the first event that its owners have ever written, and
 * the nodes that run it share it, by streams. Also gives the service the operations of its consumers, `deadLetters` and so on.
 */
export function Reactors(reactors: Reactor | readonly Reactor[]): Partial<ServiceSchema> {
  const list: readonly Reactor[] = Array.isArray(reactors) ? reactors : [reactors as Reactor];
  return {
    mixins: [
      Consuming(
        list.map(({ name }) => name),
        list.flatMap(({ on }) => Object.keys(on)),
      ),
    ],
    created(this: Service) {
      stopsConsumersFirst(this);
    },
    async started(this: Service) {
      const consumers = await consumersOf(this);
      for (const reactor of list) consumers.add(consumerOf(reactor, this.broker, this.fullName));
    },
  };
}
