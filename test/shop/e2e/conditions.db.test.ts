// Conditional requests over HTTP, on the real services: a client overwrites only the state that it has seen.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { newId } from "@valence/runtime/kernel";
import { newDatabases, type Databases } from "@valence/runtime/testing/servers";
import { until } from "@valence/runtime/testing";
import { orderOf, Shop } from "../support/shop.ts";

const ADMIN = { email: "root@example.org", password: "correct horse battery" };
let databases: Databases;
let shop: Shop;
let ann: string;
let admin: string;
let products: { id: string; name: string }[];

beforeAll(async () => {
  databases = await newDatabases();
  shop = await Shop.start({ ...databases.env, ADMIN_EMAIL: ADMIN.email, ADMIN_PASSWORD: ADMIN.password });
  admin = await shop.login(ADMIN.email, ADMIN.password);
  ann = await shop.customer("ann");
  products = (await shop.request("GET", "/api/v1/products?pageSize=10")).body.rows;
}, 60_000);
afterAll(async () => {
  await shop?.stop();
  await databases.remove();
});

const ask = async (
  method: string,
  path: string,
  token: string,
  headers: Record<string, string> = {},
  body?: unknown,
) => {
  const answer = await shop.request(method, `/api/v1${path}`, { token, headers, body });
  return { ...answer, tag: answer.headers.get("etag") ?? "", modified: answer.headers.get("last-modified") ?? "" };
};
const LONG_AGO = "Sun, 06 Nov 1994 08:49:37 GMT";

describe("a product", () => {
  const url = () => `/products/${products[0]!.id}`;

  test("is changed and removed only in the state that was seen", async () => {
    const seen = await ask("GET", url(), admin);
    expect(seen.tag).toMatch(/^"[\w-]{22}"$/);
    const changed = await ask("PATCH", url(), admin, { "If-Match": seen.tag }, { name: "Renamed" });
    expect([changed.status, changed.body.name]).toEqual([200, "Renamed"]);
    expect((await ask("GET", url(), admin)).tag).toBe(changed.tag);

    for (const headers of [
      { "If-Match": seen.tag },
      { "If-Match": `W/${changed.tag}` },
      { "If-None-Match": "*" },
      { "If-Unmodified-Since": LONG_AGO },
    ] as Record<string, string>[]) {
      const late = await ask("PATCH", url(), admin, headers, { name: "Lost" });
      expect([headers, late.status, late.body.type]).toEqual([headers, 412, "/problems/precondition-failed"]);
      expect((await ask("DELETE", url(), admin, headers)).status).toBe(412);
    }
    expect((await ask("GET", url(), admin)).body.name).toBe("Renamed");

    expect((await ask("DELETE", url(), admin, { "If-Match": changed.tag })).status).toBe(204);
    expect((await ask("DELETE", url(), admin, { "If-Match": changed.tag })).status).toBe(404);
  });

  test("one of many clients that change the same version succeeds", async () => {
    const path = `/products/${products[1]!.id}`;
    const { tag } = await ask("GET", path, admin);
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) => ask("PATCH", path, admin, { "If-Match": tag }, { name: `Of ${i}` })),
    );
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, ...Array(7).fill(412)]);
  });

  test("that is sent back as it was read is accepted, and refused with the times of another", async () => {
    const path = `/products/${products[2]!.id}`;
    const { body } = await ask("GET", path, admin);
    const changed = await ask("PATCH", path, admin, {}, { ...body, name: "Sent back" });
    expect([changed.status, changed.body.name]).toEqual([200, "Sent back"]);
    for (const [field, change] of [
      ["updatedAt", { updatedAt: body.updatedAt }],
      ["createdAt", { createdAt: "2020-01-01T00:00:00.000Z" }],
      ["id", { id: newId() }],
    ] as const) {
      const refused = await ask("PATCH", path, admin, {}, { ...changed.body, ...change });
      expect([field, refused.status, refused.body.errors[0].field]).toEqual([field, 422, field]);
    }
  });

  test("is not sent again to a client that has it", async () => {
    const path = `/products/${products[3]!.id}`;
    const { tag, modified } = await ask("GET", path, ann);
    for (const headers of [{ "If-None-Match": `"x", W/${tag}` }, { "If-Modified-Since": modified }] as Record<
      string,
      string
    >[]) {
      const again = await ask("GET", path, ann, headers);
      expect([again.status, again.body, again.tag]).toEqual([304, "", tag]);
    }
    expect((await ask("GET", path, ann, { "If-None-Match": '"x"' })).status).toBe(200);
  });
});

describe("a cart", () => {
  const line = (i: number) => `/cart/items/${products[i]!.id}`;
  beforeEach(() => ask("DELETE", "/cart", ann));

  test("is changed only in the version that was seen", async () => {
    const first = await ask("PUT", line(4), ann, {}, { quantity: 1 });
    expect(first.headers.get("content-location")).toBe("/api/v1/cart");
    const seen = await ask("GET", "/cart", ann);
    expect(seen.tag).toBe(first.tag);
    const second = await ask("PUT", line(5), ann, { "If-Match": seen.tag }, { quantity: 2 });
    expect(second.status).toBe(200);
    const late = { "If-Match": seen.tag };
    expect((await ask("PUT", line(4), ann, late, { quantity: 9 })).status).toBe(412);
    expect((await ask("DELETE", line(4), ann, late)).status).toBe(412);
    expect((await ask("DELETE", "/cart", ann, late)).status).toBe(412);
    expect((await ask("DELETE", "/cart", ann, { "If-Unmodified-Since": LONG_AGO })).status).toBe(412);
    expect((await ask("GET", "/cart", ann)).body.items).toHaveLength(2);
    expect((await ask("DELETE", "/cart", ann, { "If-Match": second.tag })).status).toBe(200);
  });

  test("`*` asks whether the line is there", async () => {
    expect((await ask("PUT", line(4), ann, { "If-Match": "*" }, { quantity: 1 })).status).toBe(412);
    expect((await ask("PUT", line(4), ann, { "If-None-Match": "*" }, { quantity: 1 })).status).toBe(200);
    expect((await ask("PUT", line(4), ann, { "If-None-Match": "*" }, { quantity: 2 })).status).toBe(412);
    expect((await ask("PUT", line(4), ann, { "If-Match": "*" }, { quantity: 3 })).body.items[0].quantity).toBe(3);
  });

  test("one of many clients that change the same version succeeds", async () => {
    const { tag } = await ask("PUT", line(4), ann, {}, { quantity: 1 });
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) => ask("PUT", line(4), ann, { "If-Match": tag }, { quantity: i + 2 })),
    );
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, ...Array(7).fill(412)]);
  });
});

describe("the profile", () => {
  test("has a tag", async () => {
    const { tag } = await ask("GET", "/me", ann);
    expect((await ask("GET", "/me", ann, { "If-None-Match": tag })).status).toBe(304);
    expect((await ask("GET", "/me", ann, { "If-Match": '"x"' })).status).toBe(412);
  });

  test("is renamed only in the state that was seen", async () => {
    const seen = await ask("GET", "/me", ann);
    const changed = await ask("PATCH", "/me", ann, { "If-Match": seen.tag }, { name: "Ann Other" });
    expect([changed.status, changed.body]).toEqual([200, { ...seen.body, name: "Ann Other" }]);
    const now = await ask("GET", "/me", ann);
    expect([now.body.name, now.tag]).toEqual(["Ann Other", changed.tag]);
    for (const headers of [
      { "If-Match": seen.tag },
      { "If-None-Match": changed.tag },
      // A profile has no time of change.
      { "If-Unmodified-Since": new Date().toUTCString() },
    ] as Record<string, string>[])
      expect((await ask("PATCH", "/me", ann, headers, { name: "Lost" })).status).toBe(412);
    expect((await ask("GET", "/me", ann)).body.name).toBe("Ann Other");
  });

  test("that is sent back as it was read is accepted, and refused with another value of what cannot be changed", async () => {
    const { body } = await ask("GET", "/me", ann);
    expect((await ask("PATCH", "/me", ann, {}, { ...body, name: "Ann Third" })).body.name).toBe("Ann Third");
    expect((await ask("PATCH", "/me", ann, {}, body)).status).toBe(200);
    for (const [field, value] of Object.entries({
      id: newId(),
      email: "other@example.org",
      roles: ["admin"],
      createdAt: "2020-01-01T00:00:00.000Z",
    })) {
      const refused = await ask("PATCH", "/me", ann, {}, { ...body, [field]: value });
      expect([field, refused.status, refused.body.errors[0].field]).toEqual([field, 422, field]);
    }
    for (const wrong of [{}, { name: "" }, { name: "x".repeat(201) }, { name: "a", password: "b" }])
      expect((await ask("PATCH", "/me", ann, {}, wrong)).status).toBe(422);
    expect((await ask("GET", "/me", ann)).body).toEqual(body);
  });

  test("takes one of many changes of the same state, those of an administrator among them", async () => {
    const { tag, body } = await ask("GET", "/me", ann);
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        i % 2 === 0
          ? ask("PATCH", "/me", ann, { "If-Match": tag }, { name: `Of ${i}` })
          : ask("PATCH", `/users/${body.id}`, admin, { "If-Match": tag }, { roles: ["customer", "admin"] }),
      ),
    );
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, ...Array(7).fill(412)]);
    await ask("PATCH", `/users/${body.id}`, admin, {}, { roles: body.roles });
  });
});

test("an order is not sent again to a client that has it", async () => {
  const order = orderOf([{ productId: products[6]!.id, quantity: 1 }]);
  const placed = await ask("POST", "/orders", ann, { "Idempotency-Key": newId() }, order);
  expect(placed.status).toBe(201);
  const path = `/orders/${placed.body.id}`;
  await until("it is shipped", async () => (await ask("GET", path, ann)).body.status === "shipped", 20_000);
  const seen = await ask("GET", path, ann);
  const again = await ask("GET", path, ann, { "If-None-Match": seen.tag });
  expect([again.status, again.body, again.headers.get("cache-control")]).toEqual([304, "", "private, no-store"]);
  expect((await ask("GET", path, ann, { "If-None-Match": placed.tag || '"x"' })).status).toBe(200);
});

test("a change may name the tag of a compressed answer", async () => {
  const path = `/products/${products[7]!.id}`;
  await ask("PATCH", path, admin, {}, { description: "long ".repeat(500) });
  const seen = await ask("GET", path, admin, { "Accept-Encoding": "br" });
  expect(seen.tag).toMatch(/-br"$/);
  expect((await ask("PATCH", path, admin, { "If-Match": seen.tag }, { description: "short" })).status).toBe(200);
  expect((await ask("PATCH", path, admin, { "If-Match": seen.tag }, { description: "lost" })).status).toBe(412);
});

test("a condition on a resource without a version is refused, and nothing changes", async () => {
  const { body: before } = await ask("GET", "/orders", ann);
  for (const headers of [
    { "If-Match": '"x"' },
    { "If-None-Match": "*" },
    { "If-Unmodified-Since": new Date().toUTCString() },
  ] as Record<string, string>[]) {
    expect((await ask("POST", "/orders", ann, headers, {})).status).toBe(412);
    expect((await ask("POST", "/products", admin, headers, {})).status).toBe(412);
  }
  expect((await ask("POST", "/orders", ann, { "If-Match": "x" }, {})).body.type).toBe("/problems/bad-condition");
  expect((await ask("GET", "/orders", ann)).body).toEqual(before);
});
