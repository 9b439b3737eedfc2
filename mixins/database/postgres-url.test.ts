import { expect, test } from "@jest/globals";
import { postgresUrlProblem, readPostgresUrl } from "./postgres-url.ts";

const USER = "from-pguser";

test.each([
  ["postgres://u:p@db.example:5433/library", { user: "u", place: "db.example:5433/library", database: "library" }],
  [
    "postgresql://u%40corp:p@[::1]/my%20library",
    { user: "u@corp", place: "[::1]/my%20library", database: "my library" },
  ],
  ["postgres://db/library", { user: "from-pguser", place: "db/library" }],
  ["postgres:///library", { user: "from-pguser", place: "localhost/library" }],
  ["postgres:///library?host=/var/run/postgresql&user=u", { user: "u", place: "/var/run/postgresql/library" }],
  ["postgres://u@/library?host=/var/run/postgresql", { user: "u", place: "/var/run/postgresql/library" }],
  ["postgres://db/library?user=u&password=p", { user: "u", place: "db/library" }],
  ["postgres://50%@db/library", { user: "50%" }],
  [
    "postgres://u@db/library?options=-c%20TimeZone%3DUTC%20--lc_messages=C",
    { settings: ["timezone=UTC", "lc_messages=C"] },
  ],
  ["postgres://u@db/library?pgbouncer=true", { isPooled: true }],
  ["postgres://u@db/library?application_name=mine", { applicationName: "mine" }],
])("%s is taken", (url, parts) => {
  expect(postgresUrlProblem(url, USER)).toBeUndefined();
  const read = readPostgresUrl(url, USER);
  expect(read).toMatchObject(parts);
  expect(read.connectionString).not.toMatch(/options|pgbouncer|application_name|invalid/);
});

test.each([
  ["postgres://u@db", "postgres://user:password@host:port/database"],
  ["postgres://u:12/secret@db/library", "%2F"],
  ["postgres://u:secret#1@db/library", "%23"],
  ["postgres://u@db/library?password=se@cret", "%40"],
  ["postgres://u@db/library?statement_timeout=0", '"statement_timeout"'],
  ["postgres://u@db/library?schema=public", '"schema"'],
  ["postgres://u@db/library?pgbouncer=1", '"pgbouncer"'],
  ["postgres://u@db/library?pgbouncer=true&options=-c%20timezone%3DUTC", '"options"'],
  ["postgres://u@db/library?options=UTC", '"options"'],
  ["postgres://u@db/library?options=-c%20search_path%3Dpublic", '"search_path"'],
  ["postgres://u@db/library?options=-csynchronous_commit%3Doff", '"synchronous_commit"'],
  ["postgres://u@db/library?options=--statement-timeout%3D0", '"statement_timeout"'],
  [
    "postgres://u@db/library?options=-c%20default_transaction_isolation%3Dserializable",
    '"default_transaction_isolation"',
  ],
])("%s is refused by what it says", (url, name) => expect(postgresUrlProblem(url, USER)).toContain(name));

test("a URL without a user is refused where nothing else names one", () =>
  expect(postgresUrlProblem("postgres://db/library", "")).toContain("PGUSER"));
