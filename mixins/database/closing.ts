// Resources that services share are closed after all services have stopped. Services stop in parallel, whatever their
// dependencies say: a call at hand in one may still need the database of another that has stopped already.
import type { ServiceBroker } from "moleculer";

type Close = () => unknown;
const closers = new WeakMap<ServiceBroker, Close[]>();

/** Runs `close` in the broker's `stopped` phase, last registered first. One that fails is logged; the others still run. */
export function closeWithBroker(broker: ServiceBroker, close: Close): void {
  const known = closers.get(broker);
  if (known) return void known.push(close);
  const list = [close];
  closers.set(broker, list);
  broker.middlewares.add({
    name: "CloseWithBroker",
    async stopped() {
      while (list.length > 0)
        try {
          await list.pop()!();
        } catch (error) {
          broker.logger.error("Closing failed", error);
        }
    },
  });
}
