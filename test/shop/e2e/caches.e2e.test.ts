// Real caches before the shop, set up as docs/cdn.md says: what they keep, what they never keep, and what a change and an
// outage do.
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { newDatabases, Nginx, Varnish, freePort, type Databases } from "@valence/runtime/testing/servers";
import { until } from "@valence/runtime/testing";
import { Shop } from "../support/shop.ts";

const ROOT = join(import.meta.dirname, "../../..");
const VCL = join(ROOT, "k8s/components/cdn/shop.vcl");
const ADMIN = { email: "root@example.org", password: "correct horse battery" };
const CDN_PURGE_TOKEN = "token-of-this-test";
const ORIGINS = ["https://app.example.org", "https://partner.example.org"];
interface Product {
  readonly id: string;
  readonly category: string;
  readonly price: { readonly amount: number; readonly currency: string };
}

let databases: Databases;
let shop: Shop;
let varnish: Varnish;
let nginx: Nginx;
let admin: string;
let products: Product[];

beforeAll(async () => {
  const port = await freePort();
  databases = await newDatabases();
  [varnish, nginx] = await Promise.all([
    Varnish.start({
      config: VCL,
      origin: `backend default { .host = "127.0.0.1"; .port = "${port}"; .probe = gateway; }`,
      env: { CDN_PURGE_TOKEN, ALLOWED_ORIGINS: ORIGINS.join(", ") },
    }),
    Nginx.start(at =>
      readFileSync(join(ROOT, "examples/cache-with-nginx/shop.conf"), "utf8")
        .replace("/var/cache/nginx/shop", `${at.folder}/cache`)
        .replace("127.0.0.1:3000", `127.0.0.1:${port}`)
        .replace("listen 8080", `listen 127.0.0.1:${at.port}`),
    ),
  ]);
  shop = await Shop.start({
    ...databases.env,
    PORT: `${port}`,
    CDN_PURGE_URL: varnish.url,
    CDN_PURGE_TOKEN,
    ALLOWED_ORIGINS: ORIGINS.join(","),
    ADMIN_EMAIL: ADMIN.email,
    ADMIN_PASSWORD: ADMIN.password,
  });
  admin = await shop.login(ADMIN.email, ADMIN.password);
  products = (await shop.request("GET", "/api/v1/products?pageSize=100")).body.rows;
  await until("Varnish has found the gateway", async () => (await get(varnish, "/api/v1/me")).status === 401);
}, 120_000);
afterAll(async () => {
  await Promise.all([varnish?.stop(), nginx?.stop(), shop?.stop()]);
  await databases.remove();
});

const API = "/api/v1";
async function get(cache: { url: string }, path: string, headers: Record<string, string> = {}) {
  const response = await fetch(cache.url + path, { headers });
  const text = await response.text();
  const json = (response.headers.get("content-type") ?? "").includes("json");
  return {
    status: response.status,
    cache: response.headers.get("x-cache"),
    headers: response.headers,
    body: json && text !== "" ? JSON.parse(text) : text,
  };
}
const outcomes = async (cache: { url: string }, paths: readonly string[], headers?: Record<string, string>) => {
  const found: (string | null)[] = [];
  for (const path of paths) found.push((await get(cache, path, headers)).cache);
  return found;
};
/** Two products of different categories. */
const pair = (): [Product, Product] => [products[0]!, products.find(one => one.category !== products[0]!.category)!];
const urlOf = ({ id }: Product): string => `${API}/products/${id}`;
const listOf = ({ category }: Product): string => `${API}/products?category=${encodeURIComponent(category)}`;
const change = async (product: Product, fields: object) => {
  const { status } = await shop.request("PATCH", urlOf(product), { token: admin, body: fields });
  expect(status).toBe(200);
};

describe.each(["Varnish", "nginx"] as const)("%s", name => {
  const cache = () => (name === "Varnish" ? varnish : nginx);

  test("answers the second request itself, with the tag of the first, and 304 to a browser that has it", async () => {
    for (const path of [urlOf(products[5]!), `${API}/products?q=mug&pageSize=7`]) {
      const [first, second] = [await get(cache(), path), await get(cache(), path)];
      expect([first.status, first.cache, second.cache]).toEqual([200, "MISS", "HIT"]);
      expect(second.body).toEqual(first.body);
      const tag = second.headers.get("etag")!;
      expect((await get(cache(), path, { "If-None-Match": tag })).status).toBe(304);
      for (const inner of ["surrogate-key", "cache-tag", "xkey"]) expect(second.headers.get(inner)).toBeNull();
    }
  });

  test("keeps no private answer, and nothing that was asked for with a token or a cookie", async () => {
    const token = { Authorization: `Bearer ${admin}` };
    for (const path of [`${API}/me`, `${API}/orders`]) {
      for (const _round of [1, 2]) {
        const { status, cache: outcome, headers } = await get(cache(), path, token);
        expect([path, status, headers.get("cache-control")]).toEqual([path, 200, "private, no-store"]);
        expect(["PASS", "BYPASS"]).toContain(outcome);
      }
      expect((await get(cache(), path)).status).toBe(401);
    }
    const path = `${API}/products?q=lamp&pageSize=9`;
    for (const own of [token, { Cookie: "shop=somebody" }]) {
      expect(["PASS", "BYPASS"]).toContain((await get(cache(), path, own)).cache);
      expect(["PASS", "BYPASS"]).toContain((await get(cache(), path, own)).cache);
    }
    // The first that anyone may have.
    expect(await outcomes(cache(), [path, path])).toEqual(["MISS", "HIT"]);
  });

  test("lets a session's cookie through to the browser that logs in, and to no other", async () => {
    const open = () =>
      fetch(`${cache().url}${API}/session`, {
        method: "POST",
        headers: { "Content-Type": "application/json", "Sec-Fetch-Site": "same-origin" },
        body: JSON.stringify(ADMIN),
      });
    const [first, second] = [await open(), await open()];
    const cookies = [first, second].map(answer => answer.headers.get("set-cookie")!.split(";")[0]!);
    expect(cookies[0]).not.toBe(cookies[1]);
    const [cookie] = cookies as [string];
    expect((await get(cache(), `${API}/me`, { Cookie: cookie })).body.email).toBe(ADMIN.email);
    expect((await get(cache(), `${API}/me`)).status).toBe(401);
  });
});

describe("Varnish", () => {
  test("takes a change, of just the answers that show it", async () => {
    const [changed, other] = pair();
    const stale = [urlOf(changed), listOf(changed), `${API}/products?sort=price`];
    const untouched = [urlOf(other), listOf(other)];
    for (const path of [...stale, ...untouched]) await outcomes(varnish, [path, path]);
    const amount = changed.price.amount + 1;
    await change(changed, { price: { ...changed.price, amount } });
    await until("the new price", async () => (await get(varnish, urlOf(changed))).body.price.amount === amount);
    const { body } = await get(varnish, listOf(changed));
    expect(body.rows.find(({ id }: Product) => id === changed.id)?.price.amount ?? amount).toBe(amount);
    expect(await outcomes(varnish, untouched)).toEqual(["HIT", "HIT"]);
  });

  test("drops a removed product, and the lists of its category", async () => {
    const body = { sku: "to-go", name: "To go", description: "", price: products[0]!.price, category: "Going" };
    const made = await shop.request("POST", `${API}/products`, { token: admin, body });
    await outcomes(varnish, [urlOf(made.body), listOf(made.body)]);
    await shop.request("DELETE", urlOf(made.body), { token: admin });
    await until("it is gone", async () => (await get(varnish, urlOf(made.body))).status === 404);
    expect((await get(varnish, listOf(made.body))).body.rows).toEqual([]);
  });

  test("answers a visitor with a cookie from what anyone may have", async () => {
    const path = urlOf(products[7]!);
    await outcomes(varnish, [path, path]);
    expect(await outcomes(varnish, [path], { Cookie: "shop=somebody" })).toEqual(["HIT"]);
  });

  test("keeps one answer for the spellings of a request, and another for CSV", async () => {
    const path = `${API}/products?category=Toys&pageSize=3`;
    await outcomes(varnish, [path]);
    const spellings = [
      `${API}/products?pageSize=3&category=Toys`,
      `${path}&utm_source=mail&gclid=1`,
      `${API}/products?utm_medium=x&category=Toys&_=17&pageSize=3`,
    ];
    expect(await outcomes(varnish, spellings, { Accept: "application/json, text/plain, */*" })).toEqual([
      "HIT",
      "HIT",
      "HIT",
    ]);
    const csv = await get(varnish, path, { Accept: "text/csv" });
    expect([csv.cache, csv.headers.get("content-type")]).toEqual(["MISS", expect.stringContaining("text/csv")]);
  });

  test("keeps an answer for each origin that may read it, and none for names and types that are made up", async () => {
    const path = `${API}/products?category=Toys&pageSize=4`;
    await outcomes(varnish, [path]);
    const made = Array.from({ length: 3 }, (_, i) => `https://made-up-${i}.example`);
    for (const Origin of [...made, `${ORIGINS[0]},${made[0]}`, "null"])
      expect(await outcomes(varnish, [path], { Origin })).toEqual(["HIT"]);
    for (const Origin of ORIGINS) {
      expect(await outcomes(varnish, [path, path], { Origin })).toEqual(["MISS", "HIT"]);
      const { headers } = await get(varnish, path, { Origin });
      expect(headers.get("access-control-allow-origin")).toBe(Origin);
    }
    for (const Accept of ["text/csv;x=1", "application/*;x=1"])
      expect(await outcomes(varnish, [path, path], { Accept })).toEqual(["PASS", "PASS"]);
  });

  test("keeps the images of products by size and format, until their image changes and not their price", async () => {
    const [product] = [products[12]!];
    const paths = ["160.webp", "160.avif", "640.jpg"].map(name => `/images/${product.id}/${name}`);
    expect(await outcomes(varnish, paths, { Accept: "image/avif,image/webp,*/*;q=0.8" })).toEqual(
      paths.map(() => "MISS"),
    );
    expect(await outcomes(varnish, paths, { Accept: "image/webp,*/*" })).toEqual(paths.map(() => "HIT"));
    const image = await get(varnish, paths[0]!);
    // The shop's own products have no pictures: a drawing.
    expect([image.headers.get("content-type"), image.headers.get("cache-control")]).toEqual([
      "image/svg+xml",
      "public, max-age=3600",
    ]);
    await outcomes(varnish, [urlOf(product), urlOf(product)]);
    const amount = product.price.amount + 1;
    await change(product, { price: { ...product.price, amount } });
    await until("the new price", async () => (await get(varnish, urlOf(product))).body.price.amount === amount);
    expect(await outcomes(varnish, paths)).toEqual(paths.map(() => "HIT"));
    await change(product, { name: "Quite another" });
    await until("the new drawing", async () => (await get(varnish, paths[0]!)).body.includes(">QA<"));
    expect((await get(varnish, `/images/${product.id}/161.webp`)).status).toBe(404);
  });

  test("tells browsers nothing that is meant for it alone", async () => {
    const { headers } = await get(varnish, urlOf(products[8]!));
    expect(headers.get("cache-control")).toBe("public, max-age=0");
  });

  test.each([{}, { Authorization: "Bearer guess" }])("takes no purge without its token: %j", async given => {
    const path = urlOf(products[9]!);
    await outcomes(varnish, [path, path]);
    const headers = { ...given, xkey: `product:${products[9]!.id}` };
    const { status } = await fetch(varnish.url, { method: "PURGE", headers });
    expect([status, ...(await outcomes(varnish, [path]))]).toEqual([403, "HIT"]);
  });
});

test("Varnish gives an answer whose time is over while a gateway fails, and before it knows that one is away", async () => {
  let failsWith: number | undefined;
  const origin = createServer((req, res) => {
    if (failsWith !== undefined && req.url !== "/health/ready") return void res.writeHead(failsWith).end();
    res.writeHead(200, { "Cache-Control": "public, max-age=0, s-maxage=1, stale-if-error=60" }).end("known");
  });
  await once(origin.listen(0, "127.0.0.1"), "listening");
  const { port } = origin.address() as AddressInfo;
  const own = await Varnish.start({
    config: VCL,
    origin: `backend default { .host = "127.0.0.1"; .port = "${port}"; .probe = gateway; }`,
    // As after half a minute.
    edit: text => text.replace("req.grace = 30s", "req.grace = 0s").replace(".interval = 1s", ".interval = 60s"),
  });
  expect((await get(own, "/a")).cache).toBe("MISS");
  failsWith = 503;
  await until("its time is over", async () => (await get(own, "/a")).cache === "STALE");
  expect([(await get(own, "/a")).body, (await get(own, "/b")).status]).toEqual(["known", 503]);
  origin.closeAllConnections();
  origin.close();
  for (const headers of [{}, { Cookie: "shop=a" }] as const) {
    expect((await get(own, "/a", headers)).body).toBe("known");
    expect((await get(own, "/b", headers)).status).toBe(503);
  }
  expect((await get(own, "/a", { Authorization: "Bearer a" })).status).toBe(503);
  await own.stop();
});

describe("while the shop is away", () => {
  const known = () => [urlOf(products[10]!), `${API}/products?pageSize=11`];
  beforeAll(async () => {
    for (const cache of [varnish, nginx]) await outcomes(cache, [...known(), ...known()]);
    await shop.stop();
  });

  test.each(["Varnish", "nginx"] as const)("%s still has the pages that it knows", async name => {
    const cache = name === "Varnish" ? varnish : nginx;
    for (const path of known()) {
      const { status, headers } = await get(cache, path);
      expect(status).toBe(200);
      expect((await get(cache, path, { "If-None-Match": headers.get("etag")! })).status).toBe(304);
    }
    const unknown = await get(cache, `${API}/products?pageSize=12`);
    expect([502, 503]).toContain(unknown.status);
    expect([502, 503]).toContain((await get(cache, `${API}/me`, { Authorization: `Bearer ${admin}` })).status);
  });
});
