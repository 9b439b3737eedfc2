import { expect, test } from "@jest/globals";
import { readEnvironment } from "./index.ts";

test.each([
  ["ORDERS_DATABASE_URL", "sqlite:"],
  ["ORDERS_DATABASE_URL", ":memory:"],
  ["ORDERS_DATABASE_URL", "sqlite::memory:"],
  ["ORDERS_DATABASE_URL", "sqlite:file:orders?mode=memory"],
  ["DATABASE_URL", "sqlite: "],
  ["NOSUCH_DATABASE_URL", "sqlite:x"],
  ["NOSUCH_DATABASE_REPLICA_URL", "postgres://localhost/shop"],
  ["SERVICES", "orders,odrers"],
  ["PORT", "0x10"],
  ["PORT", "1e3"],
  ["PORT", "-1"],
  ["PORT", "65536"],
  ["ADMIN_EMAIL", "admin@localhost"],
  ["ADMIN_EMAIL", `${"a".repeat(64)}@${"b.".repeat(95)}example`],
  ["ADMIN_PASSWORD", "🐘🐘🐘🐘"],
  ["FAILPOINTS", "garbage"],
])("%s=%s is refused by name", (variable, value) =>
  expect(() => readEnvironment({ [variable]: value }, ["orders", "order-views"])).toThrow(
    expect.objectContaining({ name: "EnvironmentError", message: expect.stringMatching(`^${variable}="`) }),
  ),
);

test("a variable of one service wins over the one for all, and says so", () => {
  const { databaseOf, databaseVariableOf } = readEnvironment(
    { DATA_DIR: "d", DATABASE_URL: "sqlite:all", ORDER_VIEWS_DATABASE_URL: "sqlite:views.sqlite" },
    ["orders", "order-views"],
  );
  expect(databaseOf("orders")).toEqual({ kind: "sqlite", filename: "all/orders.sqlite" });
  expect(databaseOf("order-views")).toEqual({ kind: "sqlite", filename: "views.sqlite" });
  expect(["orders", "order-views"].map(databaseVariableOf)).toEqual(["DATABASE_URL", "ORDER_VIEWS_DATABASE_URL"]);
  expect(readEnvironment({}).databaseVariableOf("orders")).toBe("DATA_DIR");
});

test("a password is taken as it is, blanks at its ends too", () =>
  expect(readEnvironment({ ADMIN_PASSWORD: " correct horse " }).adminPassword).toBe(" correct horse "));
