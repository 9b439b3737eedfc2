import { expect, test } from "@jest/globals";
import { postgresUrlProblem, readPostgresUrl } from "./postgres-url.ts";

const USER = "from-pguser";

test.each([
  ["postgres://u:p@db.example:5433/shop", { user: "u", place: "db.example:5433/shop", database: "shop" }],
  ["postgresql://u%40corp:p@[::1]/my%20shop", { user: "u@corp", place: "[::1]/my%20shop", database: "my shop" }],
  ["postgres://db/shop", { user: "from-pguser", place: "db/shop" }],
  ["postgres:///shop", { user: "from-pguser", place: "localhost/shop" }],
  ["postgres:///shop?host=/var/run/postgresql&user=u", { user: "u", place: "/var/run/postgresql/shop" }],
  ["postgres://u@/shop?host=/var/run/postgresql", { user: "u", place: "/var/run/postgresql/shop" }],
  ["postgres://db/shop?user=u&password=p", { user: "u", place: "db/shop" }],
  ["postgres://50%@db/shop", { user: "50%" }],
  [
    "postgres://u@db/shop?options=-c%20TimeZone%3DUTC%20--lc_messages=C",
    { settings: ["timezone=UTC", "lc_messages=C"] },
  ],
  ["postgres://u@db/shop?pgbouncer=true", { isPooled: true }],
  ["postgres://u@db/shop?application_name=mine", { applicationName: "mine" }],
])("%s is taken", (url, parts) => {
  expect(postgresUrlProblem(url, USER)).toBeUndefined();
  const read = readPostgresUrl(url, USER);
  expect(read).toMatchObject(parts);
  expect(read.connectionString).not.toMatch(/options|pgbouncer|application_name|invalid/);
});

test.each([
  ["postgres://u@db", "postgres://user:password@host:port/database"],
  ["postgres://u:12/secret@db/shop", "%2F"],
  ["postgres://u:secret#1@db/shop", "%23"],
  ["postgres://u@db/shop?password=se@cret", "%40"],
  ["postgres://u@db/shop?statement_timeout=0", '"statement_timeout"'],
  ["postgres://u@db/shop?schema=public", '"schema"'],
  ["postgres://u@db/shop?pgbouncer=1", '"pgbouncer"'],
  ["postgres://u@db/shop?pgbouncer=true&options=-c%20timezone%3DUTC", '"options"'],
  ["postgres://u@db/shop?options=UTC", '"options"'],
  ["postgres://u@db/shop?options=-c%20search_path%3Dpublic", '"search_path"'],
  ["postgres://u@db/shop?options=-csynchronous_commit%3Doff", '"synchronous_commit"'],
  ["postgres://u@db/shop?options=--statement-timeout%3D0", '"statement_timeout"'],
  ["postgres://u@db/shop?options=-c%20default_transaction_isolation%3Dserializable", '"default_transaction_isolation"'],
])("%s is refused by what it says", (url, name) => expect(postgresUrlProblem(url, USER)).toContain(name));

test("a URL without a user is refused where nothing else names one", () =>
  expect(postgresUrlProblem("postgres://db/shop", "")).toContain("PGUSER"));
