import { expect, test } from "@jest/globals";
import { readEnvironment } from "../kernel/index.ts";
import { databaseEnvironment, locationOf, locationVariableOf } from "./index.ts";

const read = (env: Record<string, string>, services: readonly string[] = []) =>
  readEnvironment(env, { services, declarations: [databaseEnvironment], failpoints: [], metrics: [] });

test("a variable of one service wins over the one for all, and says so", () => {
  const environment = read(
    { DATA_DIR: "d", DATABASE_URL: "sqlite:all", GUEST_BOOK_DATABASE_URL: "sqlite:views.sqlite" },
    ["bookings", "guest-book"],
  );
  expect(locationOf(environment, "bookings")).toEqual({ kind: "sqlite", filename: "all/bookings.sqlite" });
  expect(locationOf(environment, "guest-book")).toEqual({ kind: "sqlite", filename: "views.sqlite" });
  expect(["bookings", "guest-book"].map(service => locationVariableOf(environment, service))).toEqual([
    "DATABASE_URL",
    "GUEST_BOOK_DATABASE_URL",
  ]);
  expect(locationVariableOf(readEnvironment({}), "bookings")).toBe("DATA_DIR");
});

test("on Postgres a service has a schema of its own, and shards and a standby where they are named", () => {
  const [a, b, standby] = ["a", "b", "standby"].map(name => `postgres://u@localhost/${name}`) as [
    string,
    string,
    string,
  ];
  const location = { kind: "postgres", schema: "guest_book", poolSize: 4 };
  expect(locationOf(read({ DATABASE_URL: a, DATABASE_REPLICA_URL: standby }), "guest-book")).toEqual({
    ...location,
    shards: [a],
    replica: standby,
  });
  // The standby for all is one of another database.
  const own = { GUEST_BOOK_DATABASE_URL: `${a}, ${b}`, DATABASE_REPLICA_URL: standby, DATABASE_POOL_SIZE: "9" };
  expect(locationOf(read(own), "guest-book")).toEqual({
    ...location,
    shards: [a, b],
    replica: undefined,
    poolSize: 9,
  });
  expect(locationOf(read({ ...own, GUEST_BOOK_DATABASE_REPLICA_URL: standby }), "guest-book")).toMatchObject({
    replica: standby,
  });
});

test.each(["TEST_DATABASE_URL", "SHADOW_DATABASE_URL", "APP_DATABASE_URL", "TEST_DATABASE_REPLICA_URL"])(
  "%s is another tool's, whatever it says",
  name => {
    const env = { [name]: "mysql://root@localhost/test" };
    for (const environment of [readEnvironment(env), read(env, ["api", "bookings", "guest-book", "rooms"])])
      expect(locationOf(environment, "bookings")).toEqual({ kind: "sqlite", filename: "data/bookings.sqlite" });
  },
);

test("a location that nobody has checked is checked when it is asked for", () => {
  const environment = readEnvironment({ BOOKINGS_DATABASE_URL: "mysql://root:secret@localhost/test" });
  expect(locationOf(environment, "rooms").kind).toBe("sqlite");
  expect(() => locationOf(environment, "bookings")).toThrow(
    'BOOKINGS_DATABASE_URL="mysql://…@localhost/test": expected',
  );
});
