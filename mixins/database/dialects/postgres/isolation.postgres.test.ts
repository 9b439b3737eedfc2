// Services share a server, or a database, and see nothing of each other.
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { newDatabase, postgresUrl, query } from "../../../testing/servers.ts";
import type { Database } from "../../database.ts";
import { migrate } from "../../migrate.ts";
import { openPostgres } from "./open.ts";

let server: Awaited<ReturnType<typeof newDatabase>>;
const opened: Database[] = [];
/** Roles belong to the server: of this test alone. */
const named = (name: string): string => `${name}_${process.pid}_${Date.now().toString(36)}`;
let [loans, members, login] = ["", "", ""];

beforeEach(async () => {
  server = await newDatabase(postgresUrl());
  [loans, members, login] = [named("loans"), named("members"), named("login")];
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map(database => database.close()));
  await server.drop();
  for (const role of [loans, members, login]) await query(postgresUrl(), `drop role if exists ${role}`);
});

async function open(schema: string, url = server.url): Promise<Database> {
  const location = { kind: "postgres", shards: [url], replica: undefined, schema, poolSize: 2 } as const;
  const database = await openPostgres(location, { rebuildable: false });
  opened.push(database);
  return database;
}
const notes = { name: "001_notes", up: (knex: any) => knex.schema.createTable("notes", (t: any) => t.string("text")) };
const as = (user: string, url = server.url): string => {
  const own = new URL(url);
  own.username = user;
  return own.href;
};

test("a service's role cannot read, change or drop another's tables", async () => {
  const [first, second] = [await open(loans), await open(members)];
  for (const database of [first, second]) await migrate(database, "x", [notes]);
  await second.knex("notes").insert({ text: "secret" });
  expect(await first.knex("notes")).toEqual([]);
  for (const sql of [
    `select * from ${members}.notes`,
    `insert into ${members}.notes values ('x')`,
    `drop table ${members}.notes`,
    `create table ${members}.mine (id int)`,
  ])
    await expect(first.knex.raw(sql)).rejects.toMatchObject({ code: "42501" });
  expect(await second.knex("notes")).toEqual([{ text: "secret" }]);
});

test("a user whose own name is the schema's needs no more than the schema, and is kept out of others", async () => {
  await open(members).then(database => migrate(database, "x", [notes]));
  await query(server.url, `create role ${loans} login; create schema ${loans} authorization ${loans}`);
  const own = await open(loans, as(loans));
  await migrate(own, "x", [notes]);
  expect(await own.knex("notes")).toEqual([]);
  // This one is nobody but itself: there is no role to go back to.
  await own.knex.raw("reset role");
  await expect(own.knex.raw(`select * from ${members}.notes`)).rejects.toMatchObject({ code: "42501" });
});

test("a user that may make neither roles nor schemas is told the statements that an administrator has to run, without the password", async () => {
  await query(server.url, `create role ${login} login password 'hidden'`);
  const url = as(login).replace("@", ":hidden@");
  const failure = await open(loans, url).catch((error: Error) => error.message);
  expect(failure).toContain("permission denied");
  expect(failure).not.toContain("hidden");
  const statements = /has to run once: (.*;)$/.exec(failure as string)![1]!;
  await query(server.url, statements);
  const database = await open(loans, url);
  await migrate(database, "x", [notes]);
  expect(await database.knex("notes")).toEqual([]);
});

test("a server that is away at the start is named with the user and the service, without the password", async () => {
  const failure = await open(loans, "postgres://u:hidden@127.0.0.1:9/library").catch((error: Error) => error.message);
  expect(failure).toMatch(new RegExp(`^the database of ${loans} .*127.0.0.1:9/library as u: connect ECONNREFUSED`));
});

test("services that start at once on an empty server, on two databases, all come up", async () => {
  const other = await newDatabase(postgresUrl());
  try {
    const starts = [server.url, server.url, server.url, other.url, other.url, other.url].flatMap(url =>
      [loans, members].map(async schema => {
        const database = await open(schema, url);
        await migrate(database, "x", [notes]);
        return database.knex("notes");
      }),
    );
    expect(await Promise.all(starts)).toEqual(starts.map(() => []));
  } finally {
    await Promise.all(opened.splice(0).map(database => database.close()));
    await other.drop();
  }
});
