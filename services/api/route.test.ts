import { describe, expect, test } from "@jest/globals";
import Type from "typebox";
import { checkShape } from "./body.ts";
import { isSafePath, requestIdOf } from "./front-door.ts";
import { KEY_HEADER, parseKey } from "./idempotency.ts";
import { mediaTypeOf } from "./media-type.ts";
import { route } from "./route.ts";
import { routes } from "./routes/index.ts";

const sample = route("PUT /cart/items/:productId", "carts.put", {
  summary: "",
  path: { productId: Type.String({ format: "uuid" }) },
  query: { page: Type.Optional(Type.Integer({ minimum: 1 })), q: Type.Optional(Type.String()) },
  body: { quantity: Type.Integer({ minimum: 1 }) },
  params: ({ path, body, user }) => ({ ...path, ...body, owner: user.id }),
});
const productId = "0190a0a0-0000-7000-8000-000000000000";
const read = (search = "", body: unknown = { quantity: 1 }) => sample.read({ path: { productId }, search, body });
const fields = (run: () => unknown): string[] => {
  try {
    run();
    return [];
  } catch (error) {
    return (error as { data: { errors: { field: string }[] } }).data.errors.map(({ field }) => field);
  }
};

describe("a route", () => {
  test("reads each field from its place, numbers of the query as numbers", () => {
    expect(read("page=2&q=7")).toEqual({ path: { productId }, query: { page: 2, q: "7" }, body: { quantity: 1 } });
  });

  test("names what is wrong, unknown or given twice, in every place", () => {
    expect(fields(() => read("page=x"))).toEqual(["page"]);
    expect(fields(() => read("page=1.5"))).toEqual(["page"]);
    expect(fields(() => read("quantity=2"))).toEqual(["quantity"]);
    expect(fields(() => read("q=a&q=b"))).toEqual(["q"]);
    expect(fields(() => read("__proto__=1&toString=2")).sort()).toEqual(["__proto__", "toString"]);
    expect(fields(() => read("page=0", { quantity: 0, price: 1 })).sort()).toEqual(["page", "price", "quantity"]);
    for (const body of [[], null, 5, "x"]) expect(fields(() => read("", body))).toEqual(["body"]);
  });

  test("P6 refuses what it would keep as another text, naming the field", () => {
    for (const q of ["%ff", "a%C3", "%ED%A0%BD", "\u00c3\u00a9"])
      expect(fields(() => read(`page=2&q=${q}`))).toEqual(["q"]);
    expect(read("q=%F0%9F%9B%92+100%&page=2").query).toEqual({ q: "🛒 100%", page: 2 });
  });

  test("is typed by its action", () => {
    // @ts-expect-error an action that is gone
    void (() => route("GET /x", "carts.gone", { summary: "", params: () => ({}) }));
    // @ts-expect-error params that the action does not take
    void (() => route("GET /x", "carts.get", { summary: "", params: () => ({ id: "x" }) }));
    expect(sample.access).toBe("user");
  });
});

test("every route with a param in its path has a schema for it, and no two are the same", () => {
  for (const { url, path } of routes)
    expect([url, ...[...url.matchAll(/:(\w+)/g)].map(match => match[1])]).toEqual([url, ...Object.keys(path)]);
  expect(new Set(routes.map(({ method, url }) => `${method} ${url}`)).size).toBe(routes.length);
});

test("only what a visitor needs is public", () => {
  const open = routes.filter(({ access }) => access === "public").map(({ method, url }) => `${method} ${url}`);
  expect(open.sort()).toEqual([
    "GET /.well-known/jwks.json",
    "GET /api/v1/inventory/:sku",
    "GET /api/v1/products",
    "GET /api/v1/products/:id",
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/logout",
    "POST /api/v1/auth/refresh",
    "POST /api/v1/auth/register",
    "POST /api/v1/payments/webhook",
  ]);
  for (const { url, access } of routes.filter(({ url }) => url.includes("/ops/")))
    expect([url, access]).toEqual([url, "admin"]);
});

test.each([
  ["/api/v1/products", true],
  ["/.well-known/jwks.json", true],
  ["/a%20b", true],
  ["/a..b", true],
  ["/..", false],
  ["/a/./b", false],
  ["/%2E%2E/", false],
  ["/%2fa", false],
  ["/a%5cb", false],
  ["/a\\b", false],
  ["/a%00", false],
  ["/a%0d%0ab", false],
  ["//a", false],
  ["/%c3%28", false],
  ["/%", false],
])("path %s is safe: %s", (path, safe) => expect(isSafePath(path)).toBe(safe));

test("Idempotency-Key: quoted or bare, 1 to 128, never a list", () => {
  const parse = (key?: string) => parseKey(key === undefined ? {} : { "idempotency-key": key });
  expect(parse()).toBeUndefined();
  expect(parse('"a b c d e"')).toBe("a b c d e");
  expect(parse("1")).toBe("1");
  // Base64, and what an sf-string may hold (RFC 9651): commas too, quotes and backslashes escaped.
  expect(parse("q83vEjRWeJA+/w==")).toBe("q83vEjRWeJA+/w==");
  expect(parse("{e02fd0e4-00fd-090A-ca30-0d00a0038ba0}")).toBe("{e02fd0e4-00fd-090A-ca30-0d00a0038ba0}");
  expect(parse('"a, b"')).toBe("a, b");
  expect(parse(String.raw`"say \"hi\" \\o/"`)).toBe(String.raw`say "hi" \o/`);
  expect(parse(`"${String.raw`\"`.repeat(128)}"`)).toBe('"'.repeat(128));
  expect(parse("8e03978e-40d5-43dd-bc93-6894a57f9324")).toBe("8e03978e-40d5-43dd-bc93-6894a57f9324");
  for (const bad of [
    "",

    "a".repeat(129),
    "key-one, key-two",
    '"key-one", "key-two"',
    '"key"one-two"',
    "key one two",
    String.raw`"a\nb"`,
    String.raw`"a\"`,
    `"${"a".repeat(129)}"`,
    "a;b=1",
    "ключ-ключ",
  ])
    expect(() => parse(bad)).toThrow(expect.objectContaining({ code: 400 }));
});

test("the header's schema in the description takes what the gateway takes", () => {
  const { pattern } = KEY_HEADER.schema as unknown as { pattern: string };
  for (const [key, taken] of [
    ["q83vEjRWeJA+/w==", true],
    ['"a, b"', true],
    ["x", true],
    ["a,b", false],
    ["", false],
  ] as const) {
    expect([key, new RegExp(pattern).test(key)]).toEqual([key, taken]);
    if (taken) expect(parseKey({ "idempotency-key": key })).toBeDefined();
    else expect(() => parseKey({ "idempotency-key": key })).toThrow();
  }
});

test.each([
  ["application/json", true],
  ["application/json;", true],
  ["Application/JSON ; ;", true],
  ["application/json; charset=utf8", true],
  ['application/json;charset="UTF-8"; v=1', true],
  ['application/json; profile="a;b\\"c"', true],
  ["application/json; charset=latin1", false],
  ["application/json; charset=utf-8; charset=utf-16", false],
  ["application/json; charset", false],
  ["application/json; =x", false],
  ["application/json, text/plain", false],
  ["application", false],
  ["", false],
  [`application/json;${" ".repeat(16_000)}@`, false],
])("media type %s is JSON's: %s", (header, isJson) => {
  expect(mediaTypeOf(header) === "application/json").toBe(isJson);
});

describe("null, and what an answer says that is sent back", () => {
  const Line = Type.Object({ note: Type.Optional(Type.String()), n: Type.Integer() }, { additionalProperties: false });
  const patch = route("PATCH /cart/items/:productId", "carts.put", {
    summary: "",
    path: { productId: Type.String({ format: "uuid" }) },
    body: {
      quantity: Type.Integer(),
      note: Type.Optional(Type.String()),
      image: Type.Optional(Type.Union([Type.String(), Type.Null()])),
      lines: Type.Optional(Type.Array(Line)),
    },
    params: ({ path, user }) => ({ ...path, quantity: 1, owner: user.id }),
  });
  const bodyOf = (body: unknown, keepsNull = false) =>
    patch.read({ path: { productId }, search: "", body, keepsNull }).body;

  test("null for an optional field is absent, at every depth; where null is a value it stays", () => {
    expect(bodyOf({ quantity: 1, note: null, image: null, lines: [{ n: 1, note: null }] })).toEqual({
      quantity: 1,
      image: null,
      lines: [{ n: 1 }],
    });
  });

  test("null for a required or an unknown field is refused by name, and any in a merge patch", () => {
    expect(fields(() => bodyOf({ quantity: null }))).toEqual(["quantity"]);
    expect(fields(() => bodyOf({ quantity: 1, price: null }))).toEqual(["price"]);
    expect(fields(() => bodyOf({ quantity: 1, lines: [{ n: null }] }))).toEqual(["lines.0.n"]);
    expect(fields(() => bodyOf({ quantity: 1, note: null }, true))).toEqual(["note"]);
  });

  test("what the path names may stand in the body, if it is the same", () => {
    expect(bodyOf({ quantity: 1, productId: productId.toUpperCase() })).toEqual({ quantity: 1 });
    expect(fields(() => bodyOf({ quantity: 1, productId: productId.replace("0190", "0191") }))).toEqual(["productId"]);
  });
});

test("UUIDs in capitals are lower-cased wherever the schema says that they are UUIDs, and texts are left alone", () => {
  const upper = productId.toUpperCase();
  const places = sample.read({ path: { productId: upper }, search: `q=${upper}`, body: { quantity: 1 } });
  expect(places).toMatchObject({ path: { productId }, query: { q: upper } });
});

test("what browsers and advertisers append to a link is no question, on public reads only", () => {
  const list = routes.find(({ url, method }) => method === "GET" && url.endsWith("/products"))!;
  const search = "utm_source=x&utm_campaign=y&gclid=1&fbclid=2&_=1700000000&page=2";
  expect(list.read({ path: {}, search, body: {} }).query).toEqual({ page: 2 });
  expect(fields(() => list.read({ path: {}, search: "utm=1", body: {} }))).toEqual(["utm"]);
  expect(fields(() => read("utm_source=x"))).toEqual(["utm_source"]);
});

test("a body's keys and depth are looked at without recursion into what is too deep", () => {
  expect(() => checkShape({ a: [{ b: 1 }] }, 3)).not.toThrow();
  expect(() => checkShape({ a: [{ b: [] }] }, 3)).toThrow(expect.objectContaining({ type: "BODY_TOO_DEEP" }));
  expect(() => checkShape(JSON.parse('{"a":[{"__proto__":{}}]}'), 20)).toThrow(
    expect.objectContaining({ type: "FORBIDDEN_KEY" }),
  );
});

test("a request id from outside is taken only if it is harmless", () => {
  expect(requestIdOf("abc_DEF-12")).toBe("abc_DEF-12");
  for (const bad of [undefined, "", "1234567", "a".repeat(65), "12345678\n", ["12345678", "12345678"]])
    expect(requestIdOf(bad)).toMatch(/^[0-9a-f-]{36}$/);
});
