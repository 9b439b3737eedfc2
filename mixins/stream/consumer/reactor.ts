import type { Reactor } from "./define-reactor.ts";
import type { Consumer } from "../siblings.ts";
import { behalfOf, floating, typedCall, type Call, type Recorded } from "../../contract/index.ts";
import { eventCommandId } from "../../kernel/index.ts";
import { failpoint } from "../failpoints.ts";

/**
 * A reactor as a consumer. Its n-th call for an event always has the same command id, so that actors execute a call once
 * that a crash repeats; the order of a handler's calls must therefore not depend on chance. The calls are made on behalf of
 * whoever caused the event, by this service.
 */
export function consumerOf(reactor: Reactor, broker: object, service: string): Consumer {
  const call = typedCall(broker);
  const handlers = reactor.on as Record<string, (event: Recorded, tools: { call: Call }) => Promise<unknown>>;
  return {
    name: reactor.name,
    types: Object.keys(handlers),
    definition: Object.values(handlers).map(String).join("\n"),
    ...(reactor.onPoison && { onPoison: reactor.onPoison }),
    react(event) {
      let n = 0;
      const behalf = behalfOf(service, event.metadata);
      const callInOrder: Call = async (action, params, options) => {
        const commandId = eventCommandId(event.eventId, reactor.name, ++n);
        const result = await call(action, params, { behalf, ...options, commandId });
        failpoint("reactor:after-call");
        return result;
      };
      const callOnce: Call = (...args) => floating(callInOrder(...args));
      return handlers[event.type]!(event, { call: callOnce });
    },
  };
}
