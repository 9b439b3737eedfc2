import { newDatabase, query } from "../../../../test/servers/postgres.ts";
import { postgresUrl } from "../../../../test/databases.ts";
import { eventStoreConformance } from "../../event-store.conformance.ts";
import { openEventStore } from "../../open.ts";

eventStoreConformance({
  name: "Postgres",
  async open() {
    const database = await newDatabase(postgresUrl());
    const location = {
      kind: "postgres",
      shards: [database.url],
      replica: undefined,
      schema: "things",
      poolSize: 4,
    } as const;
    let store = await openEventStore(location);
    return {
      store,
      async reopen() {
        await store.close();
        return (store = await openEventStore(location));
      },
      async destroy() {
        await store.close();
        await database.drop();
      },
    };
  },
});
void query;
