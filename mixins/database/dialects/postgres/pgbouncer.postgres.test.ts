// Behind PgBouncer in transaction mode: more clients than the server has sessions, and no client has a session of its own.
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { newDatabase, PgBouncer, postgresUrl, query } from "../../../testing/servers.ts";
import type { Database } from "../../database.ts";
import { migrate } from "../../migrate.ts";
import { openPostgres } from "./open.ts";

const USER = `pooled_knex_${process.pid}`;
const SESSIONS = 2;
let bouncer: PgBouncer;
let server: Awaited<ReturnType<typeof newDatabase>>;
let processes: Database[];

beforeAll(async () => {
  await query(postgresUrl(), `create role ${USER} login`);
  bouncer = await PgBouncer.start(postgresUrl(), [USER], SESSIONS);
  server = await newDatabase(postgresUrl());
  await query(server.url, `create schema ${USER} authorization ${USER}`);
  // As a first start leaves it: only sessions that begin after it have what is set here.
  const name = new URL(server.url).pathname.slice(1);
  await query(server.url, `alter role ${USER} in database ${name} set statement_timeout = 15000`);
  const url = bouncer.url(server.url, USER);
  const location = { kind: "postgres", shards: [url], replica: undefined, schema: USER, poolSize: 4 } as const;
  processes = await Promise.all([true, false].map(rebuildable => openPostgres(location, { rebuildable })));
});
afterAll(async () => {
  await Promise.all(processes.map(database => database.close()));
  await server.drop();
  await bouncer.stop();
  await query(postgresUrl(), `drop role ${USER}`);
});

test("migrations, locks and transactions work, and the settings of one transaction end with it", async () => {
  const [relaxed, durable] = processes as [Database, Database];
  const counters = {
    name: "001",
    up: (knex: any) => knex.schema.createTable("counters", (t: any) => t.integer("value")),
  };
  await Promise.all(processes.map(database => migrate(database, "x", [counters])));
  await relaxed.knex("counters").insert({ value: 0 });

  const settings = await Promise.all(
    Array.from({ length: 40 }, async (_, i) => {
      const database = processes[i % 2]!;
      const outside = (await database.knex.raw("show statement_timeout")).rows[0].statement_timeout;
      const inside = await database.transaction(
        async trx => {
          const { value } = await trx("counters").first();
          await trx("counters").update({ value: value + 1 });
          return (await trx.raw("show synchronous_commit")).rows[0].synchronous_commit;
        },
        { lock: "counters" },
      );
      return `${i % 2} ${outside} ${inside}`;
    }),
  );
  expect(await durable.knex("counters")).toEqual([{ value: 40 }]);
  // A migration lifts the time-out, a rebuildable database does not wait for the disk: neither stays with the session.
  expect(new Set(settings)).toEqual(new Set(["0 15s off", "1 15s on"]));
});
