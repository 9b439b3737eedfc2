import { expect, test } from "@jest/globals";
import { physicalName } from "./physical-name.ts";

const long = "the-orders-of-each-customer-by-month-and-by-the-country-it-went-to";

test("names are as they are written, as far as a database keeps them", () => {
  expect(physicalName("order-list", { version: 2, build: 1 }, "orders")).toBe("order_list_v2_orders");
  expect(physicalName("order-list", { version: 2, build: 3 }, "orders")).toBe("order_list_v2_b3_orders");
});

test("long ones differ in what Postgres keeps, with room for the name of an index, and stay the same", () => {
  const names = ["orders", "lines"].flatMap(table =>
    [1, 2].flatMap(version => [1, 2].map(build => physicalName(long, { version, build }, table))),
  );
  expect(new Set(names.map(name => name.slice(0, 57))).size).toBe(8);
  for (const name of names) expect(name).toMatch(/^[\w]{57}$/);
  expect(names[0]).toBe("the_orders_of_each_customer_by_month_and_by__830c33ad4c4d");
});

test("a build that was made under a long name keeps it: the database cuts it as it did then", () => {
  const whole = `${long}_v1_orders`.replaceAll("-", "_");
  expect(physicalName(long, { version: 1, build: 1, tables: [whole] }, "orders")).toBe(whole);
  expect(physicalName(long, { version: 1, build: 1, tables: [] }, "orders")).not.toBe(whole);
});
