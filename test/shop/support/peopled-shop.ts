// A running shop with two customers and an administrator, for tests that send what no client should: attacks, hostile and
// random input.
import { ApiDescription, until, WireClient } from "@valence/runtime/testing";
import { newDatabases, type Databases } from "@valence/runtime/testing/servers";
import { expect } from "@jest/globals";
import { orderOf, Shop } from "./shop.ts";

export const ADMIN = { email: "root@example.org", password: "correct horse battery" };

export interface Product {
  readonly id: string;
  readonly sku: string;
  readonly price: { readonly amount: number };
}

export interface PeopledShop {
  readonly databases: Databases;
  readonly shop: Shop;
  /** Sends requests as they are written, the malformed ones too. */
  readonly client: WireClient;
  /** Access tokens: of two customers, and of the administrator. */
  readonly ann: string;
  readonly bob: string;
  readonly admin: string;
  /** Some products of the catalog. */
  readonly products: readonly [Product, Product];
  /** Orders one of the product; answers the order's id when it has shipped. */
  shipped(token: string, product: Product): Promise<string>;
  /** The API's own description, as the administrator sees it. */
  describe(): Promise<ApiDescription>;
  stop(): Promise<void>;
}

/** Starts it on databases of its own; `env` is added to the environment. */
export async function openPeopledShop(env: Readonly<Record<string, string>> = {}): Promise<PeopledShop> {
  const databases = await newDatabases();
  const account = { ADMIN_EMAIL: ADMIN.email, ADMIN_PASSWORD: ADMIN.password };
  const shop = await Shop.start({ ...databases.env, ...account, ...env });
  const client = new WireClient(shop.url);
  const admin = await shop.login(ADMIN.email, ADMIN.password);
  const [ann, bob] = [await shop.customer("ann"), await shop.customer("bob")];
  const products = (await shop.request("GET", "/api/v1/products?pageSize=2")).body.rows;
  return {
    databases,
    shop,
    client,
    ann,
    bob,
    admin,
    products,
    async shipped(token, product) {
      const body = orderOf([{ productId: product.id, quantity: 1 }]);
      const placed = await shop.request("POST", "/api/v1/orders", { token, body });
      expect(placed.status).toBe(201);
      const { id } = placed.body;
      await until(`order ${id} has shipped`, async () => {
        const { body } = await shop.request("GET", `/api/v1/orders/${id}`, { token });
        return body.status === "shipped";
      });
      return id;
    },
    async describe() {
      const headers = { Authorization: `Bearer ${admin}` };
      return new ApiDescription((await client.send({ method: "GET", path: "/openapi.json", headers })).json);
    },
    async stop() {
      client.close();
      await shop.stop();
      await databases.remove();
    },
  };
}
