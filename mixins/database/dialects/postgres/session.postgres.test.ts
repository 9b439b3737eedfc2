// The check of a session by a real server: a start whose session is not the configured one says so.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { newDatabase, PgBouncer, postgresUrl, query } from "../../../testing/servers.ts";
import { newId } from "../../../kernel/index.ts";
import type { PostgresLocation, Database } from "../../index.ts";
import { openDatabase } from "../../mixin.ts";

let role: string;
let server: Awaited<ReturnType<typeof newDatabase>>;
let opened: Database[];
let roles: string[];
beforeEach(async () => {
  role = `session_${newId().replaceAll("-", "")}`;
  roles = [role];
  opened = [];
  server = await newDatabase(postgresUrl());
});
afterEach(async () => {
  await Promise.all(opened.map(database => database.close()));
  await server.drop();
  for (const name of roles) await query(postgresUrl(), `drop role if exists ${name}`);
});

async function open(url: string, schema = role): Promise<Database> {
  const location: PostgresLocation = { kind: "postgres", shards: [url], replica: undefined, schema, poolSize: 2 };
  const database = await openDatabase(location);
  opened.push(database);
  return database;
}
const withQuery = (url: string, query: string): string => `${url}?${query}`;
const session = async ({ knex }: Database) =>
  (
    await knex.raw(
      `select current_user as "user", current_schema() as schema, current_setting('TimeZone') as zone,
       current_setting('statement_timeout') as timeout, current_setting('application_name') as name`,
    )
  ).rows[0];
const refusal = (url: string): Promise<string> =>
  open(url).then(
    () => "it was taken",
    (error: Error) => error.message,
  );

test("settings and a name in the URL are merged with ours", async () => {
  const url = withQuery(server.url, "options=-c%20timezone%3DAsia%2FTokyo&application_name=mine");
  expect(await session(await open(url))).toEqual({
    user: role,
    schema: role,
    zone: "Asia/Tokyo",
    timeout: "15s",
    name: `mine ${role}`,
  });
});

test("a URL without a user takes PGUSER, and user and host may stand in the query", async () => {
  const url = new URL(server.url);
  url.username = "";
  const { host, hostname, port, pathname } = url;
  process.env["PGUSER"] = "postgres";
  try {
    expect(await session(await open(url.href))).toMatchObject({ user: role, schema: role });
  } finally {
    delete process.env["PGUSER"];
  }
  const inQuery = `postgres://${host}${pathname}?user=postgres`;
  expect(await session(await open(inQuery))).toMatchObject({ user: role, schema: role });
  const noHost = `postgres://postgres@${pathname}?host=${hostname}&port=${port}`;
  expect(await session(await open(noHost))).toMatchObject({ user: role, schema: role });
});

test("a socket in place of a host is taken", async () => {
  const { port, pathname } = new URL(server.url);
  const [{ folder }] = await query(server.url, "select current_setting('unix_socket_directories') as folder");
  const url = `postgres://${pathname}?host=${encodeURIComponent(folder)}&port=${port}&user=postgres`;
  expect(await session(await open(url))).toMatchObject({ user: role, schema: role });
});

test("a schema whose owner a restored dump has lost: the refusal says so, and what to do", async () => {
  await query(server.url, `create schema ${role}`);
  expect(await refusal(server.url)).toContain(`alter schema "${role}" owner to "${role}"`);
  await query(server.url, `alter schema ${role} owner to ${role}`);
  expect(await session(await open(server.url))).toMatchObject({ user: role, schema: role });
});

/** As the service's own user, whose defaults count where nothing is sent. */
async function asOwner(): Promise<string> {
  await query(server.url, `create role ${role} login`);
  await query(server.url, `create schema ${role} authorization ${role}`);
  const url = new URL(server.url);
  url.username = role;
  return url.href;
}

test.each([
  ["default_transaction_isolation = 'repeatable read'", "repeatable read"],
  ["default_transaction_read_only = on", "can only read"],
  ["synchronous_commit = off", "synchronous_commit is off"],
])("a role whose defaults say %s is refused in one line that says so", async (setting, named) => {
  const url = await asOwner();
  await query(server.url, `alter role ${role} set ${setting}`);
  const said = await refusal(url);
  expect(said).toMatch(new RegExp(`^${role} on [^ ]+: [^\n]*${named}[^\n]*$`));
});

test("a database that cannot hold every text is refused", async () => {
  const name = `latin_${newId().replaceAll("-", "")}`;
  await query(postgresUrl(), `create database ${name} template template0 encoding 'SQL_ASCII' locale 'C'`);
  const url = new URL(postgresUrl());
  url.pathname = `/${name}`;
  try {
    expect(await refusal(url.href)).toContain("encoding is SQL_ASCII");
  } finally {
    await Promise.all(opened.splice(0).map(database => database.close()));
    await query(postgresUrl(), `drop database ${name} with (force)`);
  }
});

test("tables that an earlier, broken start has put into public are named, not left behind", async () => {
  await query(server.url, `create table public.migrations_${role} (id integer)`);
  expect(await refusal(server.url)).toMatch(new RegExp(`^${role} on .*lie in the schema public`));
  // Nothing was made, nothing was touched.
  expect(await query(server.url, `select from pg_namespace where nspname = '${role}'`)).toEqual([]);
  await query(server.url, `drop table public.migrations_${role}`);
  expect(await session(await open(server.url))).toMatchObject({ schema: role });
});

test("an existing store opens, also with other tables in public", async () => {
  await (await open(server.url)).knex.schema.createTable("things", table => table.increments("id"));
  await query(server.url, `create table public.migrations_${role} (id integer)`);
  expect(await session(await open(server.url))).toMatchObject({ schema: role });
});

let bouncer: PgBouncer;
const SHARED = `shared_${process.pid}`;
beforeAll(async () => {
  await query(postgresUrl(), `create role ${SHARED} login`);
  // It takes what we send and drops it, which is what is usually advised for drivers that send something.
  bouncer = await PgBouncer.start(postgresUrl(), [SHARED], 2, { ignore_startup_parameters: "options" });
});
afterAll(async () => {
  await bouncer.stop();
  await query(postgresUrl(), `drop role ${SHARED}`);
});

test("one user for all services through PgBouncer is refused, since they would share one schema", async () => {
  const said = await refusal(bouncer.url(server.url, SHARED));
  expect(said).toMatch(/pgbouncer=true the user has to be session_\w+, not shared_\w+: [^\n]+_DATABASE_URL$/);
  expect(await query(server.url, "select from pg_tables where schemaname = 'public'")).toEqual([]);
});

test("a pooler that is not said to be one, and drops our settings, is found out", async () => {
  await query(postgresUrl(), `alter role ${SHARED} createrole`);
  await query(server.url, `grant create on database "${new URL(server.url).pathname.slice(1)}" to ${SHARED}`);
  const url = new URL(bouncer.url(server.url, SHARED));
  url.searchParams.delete("pgbouncer");
  expect(await refusal(url.href)).toMatch(new RegExp(`^${role} on .*: the session acts as ${SHARED}, not as ${role}`));
});
