// The door for sibling floors, `broker/` and scripts. It loads the clients of the databases; `index.ts` does not.
export { BUCKETS } from "./buckets.ts";
export { STORE_INDEXES } from "./dialects/postgres/indexes.ts";
export { rebalance } from "./dialects/postgres/reshard.ts";
export { limits as STORE_LIMITS } from "./limits.ts";
export { openEventStore } from "./open.ts";
export { eventStoreOf } from "./service-store.ts";
export { streamsLike } from "./streams-like.ts";
