import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { newDatabase, PgBouncer, postgresUrl, query } from "../../../testing/servers.ts";
import { appendOf, eventStoreConformance, subjectAt, verdictOf, type Subject } from "../../event-store.conformance.ts";
import { openEventStore } from "../../open.ts";
import { rebalance } from "./reshard.ts";

const USER = `pooled_${process.pid}`;
let bouncer: PgBouncer;
beforeAll(async () => {
  // As an operator does it: a role that logs in, and may make its schema.
  await query(postgresUrl(), `create role ${USER} login`);
  bouncer = await PgBouncer.start(postgresUrl(), [USER], 3);
});
afterAll(async () => {
  await bouncer.stop();
  await query(postgresUrl(), `drop role ${USER}`);
});

async function newSubject(): Promise<Subject & { location: Parameters<typeof rebalance>[0] }> {
  const database = await newDatabase(postgresUrl());
  await query(database.url, `create schema ${USER} authorization ${USER}`);
  const url = bouncer.url(database.url, USER);
  const location = { kind: "postgres", shards: [url], replica: undefined, schema: USER, poolSize: 4 } as const;
  return { location, ...(await subjectAt(location, () => database.drop())) };
}

eventStoreConformance({ name: "Postgres behind PgBouncer in transaction mode", open: newSubject });

test("P2 stores that share three connections of the server keep apart what is theirs", async () => {
  const one = await newSubject();
  const stores = [one.store, await openEventStore(one.location), await openEventStore(one.location)];
  await Promise.all(
    stores.flatMap((store, node) =>
      Array.from({ length: 8 }, async (_, i) => {
        for (let version = 0; version < 20; version++)
          expect(await verdictOf(store, appendOf(`thing.${node}-${i}`, version))).toMatchObject({ kind: "ok" });
      }),
    ),
  );
  await Promise.all(stores.slice(1).map(store => store.close()));
  await one.destroy();
});

test("its sessions have the service's settings, which the pooler could not pass on", async () => {
  const one = await newSubject();
  const [row] = await query(
    postgresUrl(),
    `select setconfig from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase
     where setrole = '${USER}'::regrole and d.datname = $1`,
    [new URL(one.location.shards[0]!).pathname.slice(1)],
  );
  expect(row.setconfig.join()).toMatch(/search_path=.*statement_timeout=.*idle_in_transaction_session_timeout=/);
  await expect(rebalance(one.location)).rejects.toMatchObject({ type: "RESHARD_POOLED" });
  await one.destroy();
});
