// Events of one stream from the service that owns it, as it tells them today: its upcasters run when they are read. While
// two releases serve side by side, what a node of the older one does not know is asked of the others.
import type { ServiceBroker } from "moleculer";
import { nodesOf } from "./owners.ts";
import type { LogEvent, LogPage, ReadLog } from "./source.ts";

export type ReadStream = (source: string, id: string, from: number, limit: number) => Promise<readonly LogEvent[]>;

/** Rejects when no node answers. An event that none of them can read stays `broken`. */
export const streamReader =
  (broker: ServiceBroker): ReadStream =>
  async (source, id, from, limit) => {
    const events: LogEvent[] = [];
    // Page by page: the bus decides how many bytes one has.
    while (events.length < limit) {
      const stream = { id, from: (events.at(-1)?.version ?? from - 1) + 1 };
      const page = await readPage(broker, `${source}.readLog`, { cursor: "", limit: limit - events.length, stream });
      if (page.length === 0) break;
      events.push(...page);
    }
    return events;
  };

async function readPage(broker: ServiceBroker, action: string, params: ReadLog): Promise<readonly LogEvent[]> {
  let { events }: LogPage = await broker.call(action, params);
  for (const nodeID of nodesOf(broker, action)) {
    if (events.every(event => event.broken === undefined)) break;
    const other = await broker.call<LogPage, ReadLog>(action, params, { nodeID }).catch(() => undefined);
    const whole = new Map(
      other?.events.filter(event => event.broken === undefined).map(event => [event.version, event]),
    );
    events = events.map(event => whole.get(event.version) ?? event);
  }
  return events;
}
