// Events of one stream from the service that owns it, in today's shape: its upcasters run when they are read. While two
// releases serve side by side, events that a node of the older one cannot read are asked of the other nodes.
import type { CallingOptions, ServiceBroker } from "moleculer";
import { nodesOf } from "./registry.ts";
import type { LogEvent, LogPage, ReadLog } from "./source.ts";

export type ReadStream = (source: string, id: string, from: number, limit: number) => Promise<readonly LogEvent[]>;

/** Rejects when no node answers. An event that none of them can read stays `broken`. */
export const streamReader =
  (broker: ServiceBroker): ReadStream =>
  async (source, id, from, limit) => {
    const action = `${source}.readLog`;
    let events = await pagesOf(broker, action, id, from, limit);
    for (const nodeID of nodesOf(broker, action)) {
      if (events.every(event => event.broken === undefined)) break;
      const others = await pagesOf(broker, action, id, from, limit, { nodeID }).catch(() => []);
      const whole = new Map(others.filter(({ broken }) => broken === undefined).map(event => [event.version, event]));
      events = events.map(event => whole.get(event.version) ?? event);
    }
    return events;
  };

/** Reads page by page, since the owner decides how many events a page holds. */
async function pagesOf(
  broker: ServiceBroker,
  action: string,
  id: string,
  from: number,
  limit: number,
  options: CallingOptions = {},
): Promise<LogEvent[]> {
  const events: LogEvent[] = [];
  while (events.length < limit) {
    const stream = { id, from: (events.at(-1)?.version ?? from - 1) + 1 };
    const params: ReadLog = { cursor: "", limit: limit - events.length, stream };
    const page = await broker.call<LogPage, ReadLog>(action, params, options);
    if (page.events.length === 0) break;
    events.push(...page.events);
  }
  return events;
}
