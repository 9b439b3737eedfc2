// One event appended to a stream of Emmett with its defaults: pool, schema, no expected version (which saves it a
// comparison that our store makes).
import { getPostgreSQLEventStore } from "@event-driven-io/emmett-postgresql";
import { measure, task, type Effort } from "../contender.ts";

const { url, streams, ...effort } = task() as { url: string; streams: number } & Effort;
const store = getPostgreSQLEventStore(url);
await store.schema.migrate();
await measure(effort, n =>
  store.appendToStream(`counter-c${n % streams}`, [{ type: "counter.added", data: { by: 1 } }]),
);
